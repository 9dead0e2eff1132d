using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>Inputs that wait where they were made.</summary>
internal sealed class KeptInputs : IBlockInputs
{
    private readonly Dictionary<int, Tensor> _kept = [];

    /// <inheritdoc />
    public void Keep(int block, Tensor input_BTD) => _kept.Add(block, input_BTD.DetachFromDisposeScope());

    /// <inheritdoc />
    public void Expect(int block)
    {
        // All are here.
    }

    /// <inheritdoc />
    public Tensor Take(int block) => _kept.Remove(block, out var input_BTD) ? input_BTD : throw new InvalidOperationException($"block {block} left no input");

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var input_BTD in _kept.Values)
        {
            input_BTD.Dispose();
        }

        _kept.Clear();
    }
}
