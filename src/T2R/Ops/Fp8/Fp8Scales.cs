using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary>
/// The scales with which a training's matrices are rounded to FP8, one for each kind of matrix, taken from the steps before (delayed scaling: Micikevicius et al., FP8
/// Formats for Deep Learning, 2022; section 3). With m the largest |number| of a step and r that of the steps so far
/// <code>
/// r ← max(m, 0.9 r)      scale = largest number of the format / (2 r)
/// </code>
/// after each step, so that within one a matrix that is rounded twice has the same bits. What grows to more than twice r from one step to the next is cut off there.
/// </summary>
public sealed class Fp8Scales : IDisposable
{
    /// <summary>The name of <see cref="Running_C"/> in checkpoints.</summary>
    public const string Name = "fp8.running";

    // Below it a scale would overflow fp32. Zeros have this one as well.
    private const float Least = 1e-30f;

    private const float Decay = 0.9f, Headroom = 2;

    // cuBLAS reads a scale from addresses that are multiples of 16 bytes.
    private const int Apart = 4;

    // Of a cell that was never used.
    private const float Unused = -1;

    private readonly Tensor _limit_C;
    private readonly Fp8Layer[] _layers;

    /// <summary>Scales that nothing was rounded with yet; each begins with what the first matrix has.</summary>
    /// <param name="layers">Blocks of the model.</param>
    /// <param name="device">Where it is.</param>
    public Fp8Scales(int layers, Device device)
    {
        long cells = CellsOf(layers);
        Tensor Row() => zeros(cells, ScalarType.Float32, device).DetachFromDisposeScope();
        (Running_C, Largest_C, Scale_C) = (Row().fill_(Unused), Row(), Row());
        using (var apart = zeros([cells, Apart], ScalarType.Float32, device))
        {
            Inverse_C = apart.select(1, 0).DetachFromDisposeScope();
        }

        float[] limits = [.. Enumerable.Range(0, (int)cells).Select(c => Fp8Product.FormatOf(c % Fp8Product.Cells).Largest)];
        _limit_C = tensor(limits, device: device).DetachFromDisposeScope();
        _layers = [.. Enumerable.Range(0, layers).Select(i => new Fp8Layer(this, i))];
    }

    /// <summary>r, on the device: all that a checkpoint needs, between steps.</summary>
    public Tensor Running_C { get; }

    /// <summary>m of the step under way.</summary>
    internal Tensor Largest_C { get; }

    /// <summary>The scales.</summary>
    internal Tensor Scale_C { get; }

    /// <summary>What undoes them, four numbers apart.</summary>
    internal Tensor Inverse_C { get; }

    /// <summary>Those of a block.</summary>
    /// <param name="layer">Which block, from 0.</param>
    public Fp8Layer this[int layer] => _layers[layer];

    /// <summary>Ends a step. Cells that it did not use stay as they are.</summary>
    public void EndStep()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Running_C.copy_(where(Largest_C.gt(0), Largest_C.maximum(Running_C.mul(Decay)), Running_C));
        Largest_C.zero_();
        Derive(0, Running_C.shape[0]);
    }

    /// <summary>Goes on where others stood.</summary>
    /// <param name="running_C">Their <see cref="Running_C"/>, which may be it; copied.</param>
    public void Restore(Tensor running_C)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Running_C.copy_(running_C);
        Derive(0, Running_C.shape[0]);
        float[] running = [.. Running_C.cpu().data<float>()];
        foreach (var (cell, value) in Cells.Zip(running))
        {
            cell.IsMeasured = value != Unused;
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Array.ForEach(_layers, l => l.Dispose());
        foreach (var tensor in new[] { Running_C, Largest_C, Scale_C, Inverse_C, _limit_C })
        {
            tensor.Dispose();
        }
    }

    /// <summary>Takes a cell's scale from what is to be rounded first, which has just been measured.</summary>
    /// <param name="index">Which cell.</param>
    internal void Begin(long index)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Running_C.narrow(0, index, 1).copy_(Largest_C.narrow(0, index, 1));
        Derive(index, 1);
    }

    private IEnumerable<Fp8Cell> Cells => _layers.SelectMany(l => new[] { l.MixerInput, l.MixerOutput, l.MlpInput, l.MlpOutput }).SelectMany(p => new[] { p.Input, p.Weight, p.Gradient });

    private static long CellsOf(int layers) => (long)layers * Fp8Layer.Products * Fp8Product.Cells;

    private void Derive(long start, long count)
    {
        var covered_c = Running_C.narrow(0, start, count).clamp_min(Least).mul_(Headroom);
        var limit_c = _limit_C.narrow(0, start, count);
        Scale_C.narrow(0, start, count).copy_(limit_c.div(covered_c));
        Inverse_C.narrow(0, start, count).copy_(covered_c.div(limit_c));
    }
}
