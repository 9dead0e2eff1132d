using T2R.Ops;
using T2R.Ops.Fp8;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>A norm n of the residual stream, then SwiGLU (Shazeer, 2020) added to the stream: x + down(silu(gate n) ⊙ up n).</summary>
/// <param name="norm">Weight of the norm before it, <c>[D]</c>.</param>
/// <param name="epsilon">ε of that norm.</param>
/// <param name="gate_proj"><c>[I, D]</c>.</param>
/// <param name="up_proj"><c>[I, D]</c>.</param>
/// <param name="down_proj"><c>[D, I]</c>.</param>
public sealed class Mlp(Tensor norm, double epsilon, Projection gate_proj, Projection up_proj, Projection down_proj)
{
    /// <summary>Maps each token by itself, <c>[B, T, D]</c> → <c>[B, T, D]</c>.</summary>
    /// <param name="x_BTD">The residual stream.</param>
    /// <param name="tape">As <see cref="SwiGlu"/> takes it: when it is replayed, the values returned must not be read.</param>
    /// <param name="workspace">How much may be taken at once; null for the standard.</param>
    /// <param name="fp8">Scales to multiply in FP8 with, where the sizes allow it; null for the weights' own type.</param>
    /// <param name="overwrites">Whether the result may take the stream's memory: nobody reads it any more, but a graph if one is built.</param>
    public Tensor Forward(Tensor x_BTD, Tape? tape = null, Workspace? workspace = null, Fp8Layer? fp8 = null, bool overwrites = false)
    {
        if (!gate_proj.HasAdapter && !up_proj.HasAdapter && !down_proj.HasAdapter)
        {
            return SwiGlu.Apply(x_BTD, norm, epsilon, gate_proj.Weight, up_proj.Weight, down_proj.Weight, tape, workspace, fp8, overwrites);
        }

        using var scope = NewDisposeScope();
        var normed_BTD = RmsNorm.Apply(x_BTD, norm, epsilon);
        var wide_BTI = Projection.Apply(normed_BTD, [gate_proj, up_proj], tape);
        var gated_BTI = GatedProduct.Apply(wide_BTI[0], wide_BTI[1]);
        return (x_BTD + down_proj.Apply(gated_BTI, tape)).MoveToOuterDisposeScope();
    }
}
