using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary>The scale of one kind of matrix, such as the inputs of one layer's product: its place in <see cref="Fp8Scales"/>.</summary>
internal sealed class Fp8Cell : IDisposable
{
    private readonly Fp8Scales _scales;
    private readonly long _index;

    /// <summary>A place.</summary>
    /// <param name="scales">What it is a place of; outlives it.</param>
    /// <param name="index">Which.</param>
    /// <param name="format">What its matrices are rounded to.</param>
    public Fp8Cell(Fp8Scales scales, long index, Fp8Format format)
    {
        (_scales, _index, Format) = (scales, index, format);
        Scale = scales.Scale_C.select(0, index).DetachFromDisposeScope();
        Inverse = scales.Inverse_C.select(0, index).DetachFromDisposeScope();
        Largest = scales.Largest_C.select(0, index).DetachFromDisposeScope();
    }

    /// <summary>What its matrices are rounded to.</summary>
    public Fp8Format Format { get; }

    /// <summary>What a number is multiplied with before it is rounded; an fp32 scalar on the device.</summary>
    public Tensor Scale { get; }

    /// <summary>What undoes that; likewise.</summary>
    public Tensor Inverse { get; }

    /// <summary>The largest |number| that was rounded in this step; likewise.</summary>
    public Tensor Largest { get; }

    /// <summary>Whether the scale comes from what was rounded before.</summary>
    public bool IsMeasured { get; set; }

    /// <summary>Takes the scale from matrices that are to be rounded, if none came before them. Nothing waits for the device.</summary>
    /// <param name="parts">Matrices that share a scale.</param>
    public void MeasureFirst(IReadOnlyList<Tensor> parts)
    {
        if (IsMeasured)
        {
            return;
        }

        foreach (var part in parts)
        {
            Fp8Cast.Run(part, this, straight: null, transposed: null);
        }

        _scales.Begin(_index);
        IsMeasured = true;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Scale.Dispose();
        Inverse.Dispose();
        Largest.Dispose();
    }
}
