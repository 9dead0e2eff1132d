using T2R.Ops.AdamW;

namespace T2R.Training.Optimizers;

/// <summary>A range of a weight whose moments pass through the card together.</summary>
/// <param name="Moments">The moments, in host memory.</param>
/// <param name="First">The first element, a multiple of <see cref="EightBitCode.Block"/>.</param>
/// <param name="Count">How many.</param>
internal readonly record struct MomentPiece(Moments Moments, long First, long Count)
{
    /// <summary>The most elements of a piece: small enough that few on the card cost little, large enough that copies run at full speed.</summary>
    public const long MostElements = 4 << 20;

    /// <summary>The pieces of a weight, in order.</summary>
    /// <param name="moments">Its moments.</param>
    public static IEnumerable<MomentPiece> Of(Moments moments)
    {
        long count = moments.Weight.Tensor.numel();
        for (long first = 0; first < count; first += MostElements)
        {
            yield return new MomentPiece(moments, first, Math.Min(MostElements, count - first));
        }
    }
}
