using T2R.Ops.GatedSlot;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.GatedSlot;

/// <summary>One form of the operator, as the tests call it.</summary>
internal delegate (Tensor Output, GatedSlotState Final) Form(
    Tensor q, Tensor k, Tensor v, Tensor s, Tensor g, GatedSlotState initial, Tensor? documentStarts);

/// <summary>
/// Inputs of the operator in float64, and the output, final states and all seven gradients that a form computes from them in a given type.
/// The loss is a fixed random linear function of the output and both final states.
/// </summary>
internal sealed record OperatorCase(
    IReadOnlyDictionary<string, Tensor> Inputs, IReadOnlyDictionary<string, Tensor> Cotangents, Tensor? DocumentStarts)
{
    internal static OperatorCase Random(
        int length, double hardestGate, int batch = 2, int keyValueHeads = 2, int groups = 2, int keyDim = 16, int slots = 12, int valueDim = 20,
        bool initialState = true, int[]? documentStarts = null, int seed = 7)
    {
        torch.random.manual_seed(seed);
        Tensor Normal(params long[] shape) => torch.randn(shape, ScalarType.Float64);
        Tensor State(params long[] shape) => initialState ? Normal(shape) : torch.zeros(shape, ScalarType.Float64);

        // Rounded to float32 first, so that both types start from the same numbers. A third of the gates stay soft, some are exactly 0.
        var u = torch.rand([batch, length, keyValueHeads, slots], ScalarType.Float64);
        var g = (-hardestGate * (u - 0.05).clamp_min(0).pow(4)).to(ScalarType.Float32).to(ScalarType.Float64);
        Tensor? starts = null;
        if (documentStarts is not null)
        {
            starts = torch.zeros([batch, length], ScalarType.Bool);
            foreach (int t in documentStarts)
            {
                starts[t % batch, t] = true;
                starts[0, t] = true;
            }
        }

        var inputs = new Dictionary<string, Tensor>
        {
            ["q"] = nn.functional.silu(Normal(batch, length, keyValueHeads * groups, keyDim)),
            ["k"] = nn.functional.silu(Normal(batch, length, keyValueHeads, keyDim)),
            ["v"] = nn.functional.silu(Normal(batch, length, keyValueHeads, valueDim)),
            ["s"] = -g.expm1(),
            ["g"] = g,
            ["hk0"] = State(batch, keyValueHeads, keyDim, slots),
            ["hv0"] = State(batch, keyValueHeads, slots, valueDim),
        };
        var cotangents = new Dictionary<string, Tensor>
        {
            ["o"] = Normal(batch, length, keyValueHeads * groups, valueDim),
            ["hkt"] = Normal(batch, keyValueHeads, keyDim, slots),
            ["hvt"] = Normal(batch, keyValueHeads, slots, valueDim),
        };
        return new OperatorCase(Round(inputs), Round(cotangents), starts);
    }

    /// <summary>Runs a form forward and backward: o, hkt, hvt and d + the name of each input.</summary>
    internal IReadOnlyDictionary<string, Tensor> Run(Form form, ScalarType dtype)
    {
        var x = Inputs.ToDictionary(i => i.Key, i => i.Value.to(dtype).detach().requires_grad_(true));
        var (output, final) = form(x["q"], x["k"], x["v"], x["s"], x["g"], new GatedSlotState(x["hk0"], x["hv0"]), DocumentStarts);
        var results = new Dictionary<string, Tensor> { ["o"] = output, ["hkt"] = final.Keys, ["hvt"] = final.Values };
        var loss = results.Select(r => (r.Value * Cotangents[r.Key].to(dtype)).sum()).Aggregate((a, b) => a + b);
        loss.backward();
        foreach (var (name, leaf) in x)
        {
            results["d" + name] = leaf.grad ?? throw new InvalidOperationException($"no gradient reached {name}");
        }

        return results;
    }

    /// <summary>‖a − b‖ / ‖b‖, and ‖a‖ where b is 0.</summary>
    internal static double RelativeError(Tensor a, Tensor b)
    {
        double scale = b.norm().item<double>();
        return (a.to(ScalarType.Float64) - b).norm().item<double>() / (scale == 0 ? 1 : scale);
    }

    private static Dictionary<string, Tensor> Round(Dictionary<string, Tensor> tensors) =>
        tensors.ToDictionary(t => t.Key, t => t.Value.to(ScalarType.Float32).to(ScalarType.Float64));
}
