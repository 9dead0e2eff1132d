using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>Random inputs as a layer makes them: silu of normal numbers, and gates with τ = 8.</summary>
internal sealed class OperatorInputs : IDisposable
{
    private const double Normalizer = 8;
    private readonly Tensor[] _all;

    internal OperatorInputs(OperatorShape s, Device device)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor Silu(int heads) => nn.functional.silu(Normal(heads, s.HeadDim));
        Tensor Normal(int heads, int width) => randn([s.Batch, s.Length, heads, width], ScalarType.BFloat16, device);
        var gate = nn.functional.logsigmoid(Normal(s.KeyValueHeads, s.Slots).to(ScalarType.Float32)) / Normalizer;
        _all = [Silu(s.Heads), Silu(s.KeyValueHeads), Silu(s.KeyValueHeads), gate.expm1().neg(), gate, Normal(s.Heads, s.HeadDim)];
        Array.ForEach(_all, t => t.DetachFromDisposeScope());
    }

    private OperatorInputs(Tensor[] all) => _all = all;

    internal Tensor Queries => _all[0];

    internal Tensor Keys => _all[1];

    internal Tensor Values => _all[2];

    internal Tensor Write => _all[3];

    internal Tensor Gate => _all[4];

    /// <summary>Of the output.</summary>
    internal Tensor Gradient => _all[5];

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(_all, t => t.Dispose());

    /// <summary>The same numbers in another type.</summary>
    internal OperatorInputs To(ScalarType dtype) => new([.. _all.Select(t => t.to(dtype).DetachFromDisposeScope())]);
}
