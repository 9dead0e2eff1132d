using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>What a card was measured to do: the two ceilings that floors are made of.</summary>
/// <param name="BytesPerSecond">Bytes read and written by a large copy on the card.</param>
/// <param name="OperationsPerSecond">Floating-point operations of a large bf16 matrix product.</param>
public sealed record CardRates(double BytesPerSecond, double OperationsPerSecond)
{
    private const long CopyBytes = 1L << 30, Side = 8192;

    /// <summary>Measures both, in about a second.</summary>
    public static CardRates Measure()
    {
        using var scope = NewDisposeScope();
        var from = randint(0, 127, [CopyBytes], ScalarType.Int8, CUDA);
        var to = empty_like(from);
        double copy = CardTimer.Median(20, () => to.copy_(from));
        var (a, b) = (randn([Side, Side], ScalarType.BFloat16, CUDA), randn([Side, Side], ScalarType.BFloat16, CUDA));
        double product = CardTimer.Median(20, () =>
        {
            using var c = a.matmul(b);
        });
        return new CardRates(2 * CopyBytes / copy, 2.0 * Side * Side * Side / product);
    }

    /// <summary>The least time for some work: what is larger, its bytes over the bandwidth or its operations over the rate.</summary>
    /// <param name="bytes">Each input read once, each output written once.</param>
    /// <param name="operations">Floating-point operations of matrix products.</param>
    /// <returns>Seconds.</returns>
    public double Floor(double bytes, double operations) => Math.Max(bytes / BytesPerSecond, operations / OperationsPerSecond);
}
