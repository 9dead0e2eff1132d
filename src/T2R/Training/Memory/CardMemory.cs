using T2R.Interop.Cuda;

namespace T2R.Training.Memory;

/// <summary>The card that a plan is for.</summary>
/// <param name="Total">Bytes it has, as its driver counts.</param>
/// <param name="Taken">Bytes that are no tensor's: the process's context, libraries and the allocator's rounding, and whatever others hold.</param>
public sealed record CardMemory(long Total, long Taken)
{
    /// <summary>The context of a process, 0.5 GiB on an H100.</summary>
    private const long Context = 528L << 20;

    /// <summary>What libtorch's and cuBLAS's kernels take as they are first used, and what the allocator cannot fit again: measured, the same from 16 to 57 GiB.</summary>
    private const long KernelsAndRounding = 640L << 20;

    /// <summary>A card that is not here, with nobody else on it.</summary>
    /// <param name="total">Bytes it has.</param>
    public static CardMemory Imagined(long total) => new(total, Context + KernelsAndRounding);

    /// <summary>A card as it is now.</summary>
    /// <param name="device">Its index.</param>
    /// <param name="held">Bytes in use now that a plan counts itself: models that are loaded already.</param>
    public static CardMemory Now(int device, long held = 0)
    {
        var now = CudaMemory.Now(device);
        return new CardMemory(now.Total, Math.Max(now.Used - held, Context) + KernelsAndRounding);
    }
}
