using T2R.Ops;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>SwiGLU (Shazeer, 2020): down(silu(gate x) ⊙ up x).</summary>
/// <param name="gate_proj"><c>[I, D]</c>.</param>
/// <param name="up_proj"><c>[I, D]</c>.</param>
/// <param name="down_proj"><c>[D, I]</c>.</param>
public sealed class Mlp(Tensor gate_proj, Tensor up_proj, Tensor down_proj)
{
    /// <summary>Maps each token by itself, <c>[B, T, D]</c> → <c>[B, T, D]</c>.</summary>
    /// <param name="x_BTD">Normalised inputs.</param>
    /// <param name="tape">As <see cref="SwiGlu"/> takes it: when it is replayed, the values returned must not be read.</param>
    public Tensor Forward(Tensor x_BTD, Tape? tape = null) => SwiGlu.Apply(x_BTD, gate_proj, up_proj, down_proj, tape);
}
