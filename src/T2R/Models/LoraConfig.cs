using System.Collections.Immutable;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>
/// Low-rank adapters (Hu et al., LoRA, ICLR 2022) beside projections of the blocks: W + (α/r) B A, with A <c>[r, I]</c> starting random and B <c>[O, r]</c> at zero, so that a
/// model starts as it was. f_proj, which conversion adds, never gets one: it is trained as it is.
/// </summary>
/// <param name="Rank">r.</param>
/// <param name="Alpha">α.</param>
/// <param name="Targets">Weight names, <c>*</c> for any characters: <c>blocks.*.mixer.q_proj.weight</c>.</param>
public sealed record LoraConfig(int Rank, double Alpha, ImmutableArray<string> Targets)
{
    private const string A = ".lora_a.weight", B = ".lora_b.weight", Plain = ".weight";

    /// <summary>What B A is scaled by.</summary>
    public double Scale => Alpha / Rank;

    /// <summary>Whether a weight has an adapter.</summary>
    /// <param name="spec">The weight.</param>
    public bool Adapts(WeightSpec spec) => CanAdapt(spec) && Targets.Any(t => NamePattern.Matches(t, spec.Name));

    /// <summary>Whether a weight could have an adapter: the projections that a transformer's blocks come with.</summary>
    /// <param name="spec">The weight.</param>
    public static bool CanAdapt(WeightSpec spec) =>
        spec.IsProjection && !spec.Name.EndsWith(".f_proj.weight", StringComparison.Ordinal);

    /// <summary>Whether a name is that of an adapter's own weight.</summary>
    /// <param name="name">T2R's name.</param>
    public static bool IsAdapter(string name) => name.EndsWith(A, StringComparison.Ordinal) || IsUp(name);

    /// <summary>The adapter's two weights, A and B.</summary>
    /// <param name="spec">The weight they stand beside.</param>
    public (WeightSpec A, WeightSpec B) Of(WeightSpec spec)
    {
        string stem = spec.Name[..^Plain.Length];
        return (new(stem + A, [Rank, spec.Shape[1]]), new(stem + B, [spec.Shape[0], Rank]));
    }

    /// <summary>W + (α/r) B A in fp32, rounded to nothing yet.</summary>
    /// <param name="weight_OI">W, of any dtype.</param>
    /// <param name="a_rI">A.</param>
    /// <param name="b_Or">B.</param>
    public Tensor Merge(Tensor weight_OI, Tensor a_rI, Tensor b_Or) =>
        weight_OI.to(ScalarType.Float32).addmm(b_Or.to(ScalarType.Float32), a_rI.to(ScalarType.Float32), 1, (float)Scale);

    internal static bool IsUp(string name) => name.EndsWith(B, StringComparison.Ordinal);
}
