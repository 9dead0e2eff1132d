using System.Text;
using T2R.Data;
using T2R.Ops.AdamW;
using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>What an AdamW remembers of one weight.</summary>
internal sealed class Moments : IDisposable
{
    private readonly Tensor[] _tensors;
    private readonly ulong _name;

    /// <summary>Begins with moments of zero.</summary>
    /// <param name="weight">The weight; borrowed.</param>
    /// <param name="name">Which AdamW.</param>
    /// <param name="make">Makes one of the layout's tensors, whatever it holds.</param>
    public Moments(TrainedWeight weight, OptimizerName name, Func<ScalarType, long[], Tensor> make)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        (Weight, _name) = (weight, Hash(weight.Name));
        Layout = MomentLayout.Of(name, weight.Tensor.dtype, [.. weight.Tensor.shape]);
        _tensors = [.. Layout.Tensors.Select(t => make(t.Dtype, [.. t.Shape]).zero_())];
        State = Layout.StateOf(_tensors);
        State.Master?.copy_(weight.Tensor);

        // Last: if one could not be made, the others go with the scope.
        Array.ForEach(_tensors, t => t.DetachFromDisposeScope());
    }

    /// <summary>The weight.</summary>
    public TrainedWeight Weight { get; }

    /// <summary>What is kept.</summary>
    public MomentLayout Layout { get; }

    /// <summary>It, as a step takes it.</summary>
    public AdamWState State { get; }

    /// <summary>The tensors by the names that checkpoints give them.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> Named => Layout.Tensors.Select((t, i) => ($"{t.Kind}.{Weight.Name}", _tensors[i]));

    /// <summary>What decides the random bits of one of this weight's steps: no two steps share it, nor two weights.</summary>
    /// <param name="step">Which step.</param>
    public ulong KeyOf(long step) => SplitMix64.Mix(_name ^ SplitMix64.Mix((ulong)step));

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in _tensors)
        {
            tensor.Dispose();
        }
    }

    // FNV-1a: the same in every process and version.
    private static ulong Hash(string name) => Encoding.UTF8.GetBytes(name).Aggregate(0xCBF29CE484222325UL, (hash, b) => unchecked((hash ^ b) * 0x100000001B3UL));
}
