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
}
