using T2R.Interop.Cuda;

namespace T2R.Training.Memory;

/// <summary>The card that a plan is for.</summary>
/// <param name="Total">Bytes it has, as its driver counts.</param>
/// <param name="Taken">Bytes in use before the model is loaded: the process's context and libraries, and whatever others hold.</param>
public sealed record CardMemory(long Total, long Taken)
{
    /// <summary>What the context of a process and libtorch's libraries take on an H100; less on smaller cards.</summary>
    public const long Context = 640L << 20;

    /// <summary>The card this process computes on, as it is now.</summary>
    /// <param name="held">Bytes in use now that a plan counts itself: models that are loaded already.</param>
    public static CardMemory Now(long held = 0)
    {
        var now = CudaMemory.Now();
        return new CardMemory(now.Total, Math.Max(now.Used - held, Context));
    }
}
