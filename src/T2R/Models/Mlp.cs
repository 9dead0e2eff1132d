using T2R.Ops;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>SwiGLU (Shazeer, 2020): down(silu(gate x) ⊙ up x).</summary>
/// <param name="gate_proj"><c>[I, D]</c>.</param>
/// <param name="up_proj"><c>[I, D]</c>.</param>
/// <param name="down_proj"><c>[D, I]</c>.</param>
public sealed class Mlp(Projection gate_proj, Projection up_proj, Projection down_proj)
{
    /// <summary>Maps each token by itself, <c>[B, T, D]</c> → <c>[B, T, D]</c>.</summary>
    /// <param name="x_BTD">Normalised inputs.</param>
    /// <param name="tape">As <see cref="SwiGlu"/> takes it: when it is replayed, the values returned must not be read.</param>
    public Tensor Forward(Tensor x_BTD, Tape? tape = null)
    {
        if (!gate_proj.HasAdapter && !up_proj.HasAdapter && !down_proj.HasAdapter)
        {
            return SwiGlu.Apply(x_BTD, gate_proj.Weight, up_proj.Weight, down_proj.Weight, tape);
        }

        using var scope = NewDisposeScope();
        var gated_BTI = nn.functional.silu(gate_proj.Apply(x_BTD, tape)) * up_proj.Apply(x_BTD, tape);
        return down_proj.Apply(gated_BTI, tape).MoveToOuterDisposeScope();
    }
}
