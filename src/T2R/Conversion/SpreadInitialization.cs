using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>
/// Spreads the slots over what the layer's keys tell apart, and lets the layer speak as loudly as before. From the weights alone, one layer at a time:
/// <list type="bullet">
/// <item>Forget gates: slot m of a kv head reads the input along a random combination of that head's own key rows, f = Wkᵀ r. Tokens with similar keys then open
/// and close the same slots, a locality-sensitive hash in key space, where random gates would make all slots alike.</item>
/// <item>Values scaled down until silu is linear on them, silu(c v) ≈ c v / 2; the norm after the operator undoes the scale.</item>
/// <item>Output norms that give back the size that softmax attention wrote with, where 1 is about twice too large.</item>
/// </list>
/// On a Mistral of 25 M parameters perplexity is 31 before the swap, 149 after it, and 2212 with <see cref="RandomInitialization"/> (8 windows of 1024 tokens).
/// </summary>
public sealed class SpreadInitialization : IInitialization
{
    private const double Tiny = 1e-12; // keeps dead rows finite

    /// <summary>
    /// κ of the first slot: standard deviation of its gate's logit over inputs. Near 0 a slot forgets after 12 tokens, whatever they are. Slots of 1 to 4 were better than
    /// slots that are all 4, both at the swap (perplexity 28.4 against 32.1) and after a million tokens (8.13 against 8.22; the quickstart's model on an H100).
    /// </summary>
    public double FirstLogitDeviation { get; init; } = 1;

    /// <summary>
    /// κ of the last slot; those between lie evenly between. At 4 a slot is either kept (α ≈ 1) or rewritten (α ≈ 0.6 at logit −4) by few tokens, and some live for hundreds.
    /// </summary>
    public double LastLogitDeviation { get; init; } = 4;

    /// <summary>σ: standard deviation of a logit's part that has nothing to do with the keys. None: it only blurs the hash.</summary>
    public double UnrelatedLogitDeviation { get; init; }

    /// <summary>
    /// Size of a value channel after scaling. silu(v) departs from v/2 by the share v/2, so small values pass linearly; much smaller ones would drown in the output
    /// norm's ε (at 0.07 the operator's mean square is about 1e-4, ε is 1e-5). The size is set, not the factor, as layers of real models differ tenfold.
    /// </summary>
    public double ValueSize { get; init; } = 0.07;

    /// <summary>ρ: size of attention's output over the size of a value; averaging shrinks. Measured layer by layer: 0.4 to 0.77, median 0.59.</summary>
    public double OutputRatio { get; init; } = 0.6;

    /// <inheritdoc />
    public string Name => "spread";

    /// <inheritdoc />
    public string Summary => "forget gates hash the layer's own keys, values scaled to where silu is linear, output norms of attention's size";

    /// <inheritdoc />
    public IReadOnlyDictionary<string, string> Parts => new Dictionary<string, string>
    {
        ["mixer.f_proj"] = FirstLogitDeviation == LastLogitDeviation
            ? $"forget gates: random combinations of the head's key rows, logits of standard deviation {FirstLogitDeviation}"
            : $"forget gates: random combinations of the head's key rows, logits of standard deviation {FirstLogitDeviation} to {LastLogitDeviation}",
        ["mixer.g_norm"] = $"output norm: {OutputRatio} × the size of a value channel, estimated from v_proj",
        ["mixer.v_proj"] = $"values scaled to size {ValueSize}, where silu is linear; the output norm undoes the scale",
    };

    /// <inheritdoc />
    public Tensor Start(string part, PretrainedLayer layer) => part switch
    {
        "mixer.f_proj" => ForgetGates(layer),
        "mixer.g_norm" => OutputNorm(layer),
        "mixer.v_proj" => layer.Read(part).mul_(ValueSize / Math.Max(SizeOfValues(layer), Tiny)),
        _ => throw new ArgumentOutOfRangeException(nameof(part), part, "not made by this initialisation"),
    };

    private Tensor ForgetGates(PretrainedLayer layer)
    {
        using var scope = NewDisposeScope();
        long heads = layer.Target.KeyValueHeads, width = layer.Target.HeadDim, slots = layer.Target.Slots;
        var norm_D = layer.Read("mixer_norm");
        var keys_HdD = layer.Read("mixer.k_proj").view(heads, width, layer.HiddenSize);
        var hash_HMD = layer.Normal("keys", heads, slots, width).matmul(keys_HdD);
        var deviation_M1 = linspace(FirstLogitDeviation, LastLogitDeviation, slots, ScalarType.Float32).unsqueeze(1);
        var gates_HMD = Unit(hash_HMD, norm_D) * deviation_M1;
        if (UnrelatedLogitDeviation > 0)
        {
            gates_HMD += Unit(layer.Normal("unrelated", heads, slots, layer.HiddenSize), norm_D) * UnrelatedLogitDeviation;
        }

        return gates_HMD.reshape(layer.Target.SlotSize, layer.HiddenSize).MoveToOuterDisposeScope();
    }

    private Tensor OutputNorm(PretrainedLayer layer) => full(layer.Target.QuerySize, OutputRatio * SizeOfValues(layer), ScalarType.Float32);

    // Root mean square of a value channel of the softmax layer over inputs: a row's values have the standard deviation ‖row ⊙ norm‖.
    private static double SizeOfValues(PretrainedLayer layer)
    {
        using var scope = NewDisposeScope();
        return Math.Sqrt((layer.Read("mixer.v_proj") * layer.Read("mixer_norm")).square().sum(1).mean().item<float>());
    }

    // The input's channel c has size norm[c], so a row's logit has the standard deviation ‖row ⊙ norm‖; here it becomes 1.
    private static Tensor Unit(Tensor rows_HMD, Tensor norm_D) => rows_HMD / (rows_HMD * norm_D).norm(dim: -1, keepdim: true, p: 2f).clamp_min(Tiny);
}
