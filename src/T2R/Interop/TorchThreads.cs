using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace T2R.Interop;

/// <summary>
/// Managed loops on libtorch's own CPU threads. A second team of threads would share the cores with libtorch's, which wait for their next
/// operator by spinning; and this way one setting, libtorch's, says how many threads there are.
/// </summary>
public static unsafe class TorchThreads
{
    /// <summary>Runs a body for each of 0 … count − 1, each once, in no particular order; returns when all are done.</summary>
    /// <param name="count">How many.</param>
    /// <param name="body">May run on several threads at once. After an exception the rest is not started, and the exception is thrown here.</param>
    public static void ForEach(int count, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        var job = new Job(count, body);
        int workers = Math.Min(count, CpuThreads.Count);
        if (workers <= 1)
        {
            job.Work();
        }
        else
        {
            var handle = GCHandle.Alloc(job);
            try
            {
                Shim.Check(Shim.torch_parallel_for(0, workers, 1, &Work, GCHandle.ToIntPtr(handle)), "to run a loop on its threads");
            }
            finally
            {
                handle.Free();
            }
        }

        job.Fault?.Throw();
    }

    // libtorch gives each thread one worker; the workers then share out the items as they get done with them.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Work(long begin, long end, nint job)
    {
        for (long worker = begin; worker < end; worker++)
        {
            ((Job)GCHandle.FromIntPtr(job).Target!).Work();
        }
    }

    private sealed class Job(int count, Action<int> body)
    {
        private int _next = -1;

        internal ExceptionDispatchInfo? Fault { get; private set; }

        internal void Work()
        {
            try
            {
                for (int i = Interlocked.Increment(ref _next); i < count; i = Interlocked.Increment(ref _next))
                {
                    body(i);
                }
            }
            catch (Exception e)
            {
                Fault ??= ExceptionDispatchInfo.Capture(e);
                Interlocked.Exchange(ref _next, count);
            }
        }
    }
}
