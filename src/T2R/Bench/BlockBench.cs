using T2R.Ops.GatedSlot;
using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>Times one block with gated slot attention on the card in bf16, after its results were compared with fp32 there.</summary>
public static class BlockBench
{
    private const int CheckedLength = 193; // three of the operator's chunks and one token

    /// <summary>How near it must be: as the gradients of a whole step.</summary>
    public static AgreementBar Bar => GradientCheck.Bar;

    /// <summary>Compares and times.</summary>
    /// <param name="shape">The block.</param>
    /// <param name="rates">The card's, for the floors.</param>
    /// <param name="times">How often each is timed; the median counts.</param>
    /// <param name="report">Told what is being done.</param>
    /// <exception cref="WrongResultException">A result is too far from that of fp32; nothing is timed then.</exception>
    public static BenchResult Run(BlockShape shape, CardRates rates, int times, Action<string> report)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(rates);
        ArgumentNullException.ThrowIfNull(report);
        report(CudaKernels.Of(device: 0, ScalarType.BFloat16, shape.HeadDim, shape.HeadDim, shape.Slots, maps: true).Lack is { } lack ? $"the operator runs as tensors: {lack}" : "comparing with fp32");
        var agreements = Compare(shape with { Batch = 1, Length = CheckedLength }, CUDA);
        Bar.Require(agreements);

        report("timing the block");
        using var inputs = new BlockInputs(shape, CUDA, ScalarType.BFloat16);
        double forward = CardTimer.Median(times, inputs.Forward);
        double both = CardTimer.Median(times, () =>
        {
            using var scope = NewDisposeScope();
            inputs.Both();
        });
        return new BenchResult(agreements,
        [
            new BenchLine("forward", forward, rates.Floor(shape.ForwardBytes, shape.ForwardOperations)),
            new BenchLine("forward + backward", both, rates.Floor(shape.ForwardBytes + shape.BackwardBytes, shape.ForwardOperations + shape.BackwardOperations)),
        ]);
    }

    /// <summary>Output and gradients in bf16 against fp32, both on a device.</summary>
    internal static Dictionary<string, Agreement> Compare(BlockShape shape, Device device)
    {
        using var scope = NewDisposeScope();
        var expected = Results(ScalarType.Float32);
        var actual = Results(ScalarType.BFloat16);
        return expected.ToDictionary(e => e.Key, e => Agreement.Of(actual[e.Key], e.Value));

        Dictionary<string, Tensor> Results(ScalarType dtype)
        {
            using var inputs = new BlockInputs(shape, device, dtype);
            return inputs.Both();
        }
    }
}
