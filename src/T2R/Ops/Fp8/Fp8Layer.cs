namespace T2R.Ops.Fp8;

/// <summary>The scales of one block's products.</summary>
public sealed class Fp8Layer : IDisposable
{
    /// <summary>How many products a block has.</summary>
    internal const int Products = 4;

    internal Fp8Layer(Fp8Scales scales, long layer)
    {
        Fp8Product Product(long i) => new(scales, ((layer * Products) + i) * Fp8Product.Cells);
        (MixerInput, MixerOutput, MlpInput, MlpOutput) = (Product(0), Product(1), Product(2), Product(3));
    }

    /// <summary>Of the projections that the mixer's input passes, all together.</summary>
    public Fp8Product MixerInput { get; }

    /// <summary>Of the projection of the mixer's output.</summary>
    public Fp8Product MixerOutput { get; }

    /// <summary>Of the MLP's gate and up, together.</summary>
    public Fp8Product MlpInput { get; }

    /// <summary>Of the MLP's down.</summary>
    public Fp8Product MlpOutput { get; }

    /// <inheritdoc />
    public void Dispose()
    {
        MixerInput.Dispose();
        MixerOutput.Dispose();
        MlpInput.Dispose();
        MlpOutput.Dispose();
    }
}
