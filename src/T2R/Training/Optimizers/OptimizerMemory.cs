using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>Bytes that an optimizer remembers, exactly; an allocator rounds each tensor up.</summary>
internal static class OptimizerMemory
{
    /// <summary>Pieces of offloaded moments that are on the card at once: one that arrives, one that steps, one that leaves.</summary>
    public const int StagingPlaces = 3;

    private const long Alignment = 256;

    /// <summary>
    /// On the device the weights are on: the moments or, offloaded, those of vectors and the places of <see cref="StagingPlaces"/> pieces. Offloaded moments that step in
    /// the backward also keep their gradients until the next update, so that those of two blocks exist together; these are not counted here.
    /// </summary>
    /// <param name="options">Which AdamW, and whether it is offloaded.</param>
    /// <param name="trained">The weights it trains.</param>
    /// <param name="dtype">Of the matrices; norms are fp32.</param>
    /// <param name="onCard">Whether they are on a card; on the CPU nothing is offloaded.</param>
    public static long OnDevice(AdamWOptions options, IReadOnlyList<WeightSpec> trained, ScalarType dtype, bool onCard)
    {
        long held = trained.Where(s => !Leaves(options, s.Shape.Length, onCard)).Sum(s => LayoutOf(options.Name, s, dtype).ByteCount);
        List<long> offloaded = [.. trained.Where(s => Leaves(options, s.Shape.Length, onCard)).Select(s => s.Count)];
        return offloaded.Count == 0 ? held : held + (StagingPlaces * StagingLayout(options.Name, dtype, offloaded.Max()).ByteCount);
    }

    /// <summary>Wherever it is: what a checkpoint holds of it.</summary>
    /// <param name="options">Which AdamW.</param>
    /// <param name="trained">The weights it trains.</param>
    /// <param name="dtype">Of the matrices; norms are fp32.</param>
    public static long Total(AdamWOptions options, IReadOnlyList<WeightSpec> trained, ScalarType dtype) => trained.Sum(s => LayoutOf(options.Name, s, dtype).ByteCount);

    /// <summary>Pinned in host memory; 0 unless offloaded.</summary>
    /// <inheritdoc cref="OnDevice" />
    public static long Pinned(AdamWOptions options, IReadOnlyList<WeightSpec> trained, ScalarType dtype, bool onCard) =>
        Pinned(trained.Where(s => Leaves(options, s.Shape.Length, onCard)).Select(s => LayoutOf(options.Name, s, dtype)));

    /// <summary>Pinned memory for moments of these layouts.</summary>
    public static long Pinned(IEnumerable<MomentLayout> layouts) => layouts.Sum(l => l.Tensors.Sum(t => Padded(MomentLayout.BytesOf(t.Dtype, t.Shape))));

    /// <summary>A size rounded up, so that what follows it is aligned.</summary>
    public static long Padded(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    /// <summary>Whether a weight's moments are offloaded: vectors are not worth the way.</summary>
    public static bool Leaves(AdamWOptions options, int axes, bool onCard) => options.Offload && onCard && axes > 1;

    /// <summary>The layout of a place that takes any piece of some weights.</summary>
    /// <param name="name">Which AdamW.</param>
    /// <param name="dtype">Of the weights; bf16 if any is.</param>
    /// <param name="largest">Elements of the largest.</param>
    public static MomentLayout StagingLayout(OptimizerName name, ScalarType dtype, long largest) => MomentLayout.Of(name, dtype, [1, Math.Min(largest, MomentPiece.MostElements)]);

    private static MomentLayout LayoutOf(OptimizerName name, WeightSpec spec, ScalarType dtype) => MomentLayout.Of(name, spec.IsNorm ? ScalarType.Float32 : dtype, spec.Shape);
}
