using T2R.Interop;
using T2R.Ops.GatedSlot;
using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>Times the gated slot operator on the card in bf16, after its results were compared with the recurrence in float64.</summary>
public static class OperatorBench
{
    private const int CheckedLength = 193; // three chunks and one token
    private static readonly AgreementBar Bar = new(5e-3, 0.9999), GateBar = new(8e-3, 0.9999);
    private static readonly string[] Names = ["o", "dq", "dk", "dv", "ds", "dg"];

    /// <summary>Compares and times.</summary>
    /// <param name="shape">The call.</param>
    /// <param name="rates">The card's, for the floors.</param>
    /// <param name="times">How often each is timed; the median counts.</param>
    /// <param name="report">Told what is being done.</param>
    /// <exception cref="UserErrorException">No kernel takes this shape on this card.</exception>
    /// <exception cref="WrongResultException">A result is too far from the reference; nothing is timed then.</exception>
    public static BenchResult Run(OperatorShape shape, CardRates rates, int times, Action<string> report)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(rates);
        ArgumentNullException.ThrowIfNull(report);
        if (CudaKernels.Of(device: 0, ScalarType.BFloat16, shape.HeadDim, shape.HeadDim, shape.Slots, maps: false).Lack is { } lack)
        {
            throw new UserErrorException($"no kernel for this call: {lack}");
        }

        report("comparing with the recurrence in float64");
        var agreements = Compare(shape with { Batch = 1, Length = CheckedLength });
        Bar.Require(agreements.Where(a => !IsOfGates(a.Key)));
        GateBar.Require(agreements.Where(a => IsOfGates(a.Key)));

        report("timing the kernels");
        using var scope = NewDisposeScope();
        using var inputs = new OperatorInputs(shape, CUDA);
        var lines = new List<BenchLine>
        {
            Line("forward", shape.ForwardBytes, shape.ForwardOperations, () => Forward(inputs)),
            Line("forward + backward", shape.ForwardBytes + shape.BackwardBytes, shape.ForwardOperations + shape.BackwardOperations, () => Array.ForEach(Both(inputs), t => t.Dispose())),
        };
        report("timing the tensor form");
        lines.Add(Line("forward, tensors", shape.ForwardBytes, shape.ForwardOperations, () => TensorForward(inputs), least: 3));
        return new BenchResult(agreements, lines);

        BenchLine Line(string name, double bytes, double operations, Action action, int? least = null) =>
            new(name, CardTimer.Median(least ?? times, action), rates.Floor(bytes, operations));
    }

    private static bool IsOfGates(string name) => name is "ds" or "dg";

    private static Dictionary<string, Agreement> Compare(OperatorShape shape)
    {
        using var scope = NewDisposeScope();
        using var inputs = new OperatorInputs(shape, CUDA);
        using var wide = inputs.To(ScalarType.Float64);
        var actual = Both(inputs);
        var expected = Both(wide, GatedSlotForm.Reference);
        return Names.Zip(actual.Zip(expected)).ToDictionary(x => x.First, x => Agreement.Of(x.Second.First, x.Second.Second));
    }

    private static void Forward(OperatorInputs x)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        GatedSlotOperator.Apply(GatedSlotForm.Chunk, x.Queries, x.Keys, x.Values, x.Write, x.Gate);
    }

    private static void TensorForward(OperatorInputs x)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        var initial = GatedSlotState.Zeros(x.Queries.shape[0], x.Keys.shape[2], x.Keys.shape[3], x.Gate.shape[3], x.Values.shape[3], ScalarType.Float32, CUDA);
        Chunk.Apply(x.Queries, x.Keys, x.Values, x.Write, x.Gate, initial, null);
    }

    private static Tensor[] Both(OperatorInputs x, GatedSlotForm form = GatedSlotForm.Chunk)
    {
        using var scope = NewDisposeScope();
        Tensor[] leaves = [.. new[] { x.Queries, x.Keys, x.Values, x.Write, x.Gate }.Select(t => t.detach().requires_grad_())];
        var (output, _) = GatedSlotOperator.Apply(form, leaves[0], leaves[1], leaves[2], leaves[3], leaves[4]);
        Autograd.Backward([output], [x.Gradient]);
        return [output.detach().MoveToOuterDisposeScope(), .. leaves.Select(t => t.grad!.MoveToOuterDisposeScope())];
    }
}
