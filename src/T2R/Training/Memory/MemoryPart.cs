namespace T2R.Training.Memory;

/// <summary>A part of a plan.</summary>
/// <param name="Name">What it is: <c>weights</c>, <c>gradients</c>, <c>moments</c>, <c>block inputs</c>, <c>kept activations</c>, <c>workspace</c>, <c>logits</c>, <c>teacher</c>, <c>context, kernels, others</c>.</param>
/// <param name="Bytes">How much.</param>
public sealed record MemoryPart(string Name, long Bytes)
{
    /// <summary>Bytes as memory is counted: <c>13.6 GiB</c>, <c>64 MiB</c>, <c>12 KiB</c>.</summary>
    public static string Text(long bytes) => bytes switch
    {
        >= 1L << 30 => $"{bytes / (double)(1L << 30):F1} GiB",
        >= 1L << 20 => $"{bytes / (double)(1L << 20):F0} MiB",
        _ => $"{bytes / (double)(1L << 10):F0} KiB",
    };
}
