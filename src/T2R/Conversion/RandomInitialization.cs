using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>
/// As flash-linear-attention starts a converted model: gates from small random weights, the output norm 1, all else copied. Small random gates sit near
/// α = σ(0)^(1/τ) ≈ 0.917 for τ = 8, whatever the token: every slot remembers about 12 tokens, and all slots remember nearly the same.
/// </summary>
public sealed class RandomInitialization : IInitialization
{
    /// <summary>Transformers' <c>initializer_range</c>.</summary>
    private const double Deviation = 0.02;

    /// <inheritdoc />
    public string Name => "random";

    /// <inheritdoc />
    public string Summary => "forget gates from small random weights, output norms 1, everything else copied";

    /// <inheritdoc />
    public IReadOnlyDictionary<string, string> Parts { get; } = new Dictionary<string, string>
    {
        ["mixer.f_proj"] = $"forget gates: normal, standard deviation {Deviation}",
        ["mixer.g_norm"] = "output norm: 1",
    };

    /// <inheritdoc />
    public Tensor Start(string part, PretrainedLayer layer) => part switch
    {
        "mixer.f_proj" => layer.Normal(part, layer.Target.SlotSize, layer.HiddenSize).mul_(Deviation),
        "mixer.g_norm" => ones(layer.Target.QuerySize, ScalarType.Float32),
        _ => throw new ArgumentOutOfRangeException(nameof(part), part, "not made by this initialisation"),
    };
}
