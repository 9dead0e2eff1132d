using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace T2R.Interop;

/// <summary>A loop on libtorch's own CPU threads that can be run again and again without allocating. Not for several threads at once.</summary>
public sealed unsafe class TorchLoop : IDisposable
{
    private readonly GCHandle _self;
    private Action<int> _body = _ => { };
    private int _count;
    private int _next;
    private ExceptionDispatchInfo? _fault;

    /// <summary>A loop that has not run.</summary>
    public TorchLoop() => _self = GCHandle.Alloc(this);

    /// <summary>Runs a body for each of 0 … count − 1, each once, in no particular order; returns when all are done.</summary>
    /// <param name="count">How many.</param>
    /// <param name="body">May run on several threads at once. After an exception the rest is not started, and the exception is thrown here.</param>
    public void Run(int count, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        (_body, _count, _next, _fault) = (body, count, -1, null);
        int workers = Math.Min(count, CpuThreads.Count);
        if (workers <= 1)
        {
            Work();
        }
        else
        {
            Shim.Check(Shim.torch_parallel_for(0, workers, 1, &Work, GCHandle.ToIntPtr(_self)), "to run a loop on its threads");
        }

        _fault?.Throw();
    }

    /// <inheritdoc />
    public void Dispose() => _self.Free();

    // libtorch gives each thread one worker; the workers then share out the items as they get done with them.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Work(long begin, long end, nint self)
    {
        for (long worker = begin; worker < end; worker++)
        {
            ((TorchLoop)GCHandle.FromIntPtr(self).Target!).Work();
        }
    }

    private void Work()
    {
        try
        {
            for (int i = Interlocked.Increment(ref _next); i < _count; i = Interlocked.Increment(ref _next))
            {
                _body(i);
            }
        }
        catch (Exception e)
        {
            _fault ??= ExceptionDispatchInfo.Capture(e);
            Interlocked.Exchange(ref _next, _count);
        }
    }
}
