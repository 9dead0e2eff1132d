using TorchSharp;

namespace T2R.Interop;

/// <summary>The threads libtorch computes with on the CPU.</summary>
public static class CpuThreads
{
    /// <summary>How many work on one operator; libtorch's own choice, the physical cores, unless OMP_NUM_THREADS says otherwise.</summary>
    public static int Count
    {
        get
        {
            LibTorch.Load();
            return torch.get_num_threads();
        }
    }

    /// <summary>One thread an operator until the result is disposed: for small operators, between which the others only spin.</summary>
    public static IDisposable JustOne()
    {
        var many = new Restored(Count);
        torch.set_num_threads(1);
        return many;
    }

    private sealed class Restored(int count) : IDisposable
    {
        public void Dispose() => torch.set_num_threads(count);
    }
}
