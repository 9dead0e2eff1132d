using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>SwiGLU (Shazeer, 2020): down(silu(gate x) ⊙ up x).</summary>
/// <param name="gate_proj"><c>[I, D]</c>.</param>
/// <param name="up_proj"><c>[I, D]</c>.</param>
/// <param name="down_proj"><c>[D, I]</c>.</param>
public sealed class Mlp(Tensor gate_proj, Tensor up_proj, Tensor down_proj)
{
    /// <summary>Maps each token by itself, <c>[B, T, D]</c> → <c>[B, T, D]</c>.</summary>
    public Tensor Forward(Tensor x_BTD)
    {
        using var scope = NewDisposeScope();
        var gated_BTI = nn.functional.silu(nn.functional.linear(x_BTD, gate_proj)) * nn.functional.linear(x_BTD, up_proj);
        return nn.functional.linear(gated_BTI, down_proj).MoveToOuterDisposeScope();
    }
}
