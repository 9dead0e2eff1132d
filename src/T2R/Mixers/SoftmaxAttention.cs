using T2R.Ops;
using T2R.Ops.Fp8;
using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>Causal softmax attention with grouped heads and rotary positions: what a pretrained block comes with.</summary>
/// <param name="config">Its shape.</param>
/// <param name="q_proj">Queries, <c>[H·d, D]</c>.</param>
/// <param name="k_proj">Keys, <c>[Hkv·d, D]</c>.</param>
/// <param name="v_proj">Values, <c>[Hkv·d, D]</c>.</param>
/// <param name="o_proj">Output, <c>[D, H·d]</c>.</param>
public sealed class SoftmaxAttention(SoftmaxAttentionConfig config, Projection q_proj, Projection k_proj, Projection v_proj, Projection o_proj) : ITokenMixer
{
    /// <inheritdoc />
    public Tensor Forward(Tensor x_BTD, SequenceContext context, IMixerState? state, Tape? tape = null, Fp8Layer? fp8 = null)
    {
        using var scope = NewDisposeScope();
        long batch = x_BTD.shape[0], length = x_BTD.shape[1];
        var (cos, sin) = context.Rotary(config.RopeTheta, config.RopeScaling, config.HeadDim, x_BTD.dtype);
        var products = Projection.Apply(x_BTD, [q_proj, k_proj, v_proj], tape, fp8?.MixerInput);
        var q = RotaryEmbedding.Apply(Heads(products[0], config.Heads), cos, sin).transpose(1, 2);
        var k = RotaryEmbedding.Apply(Heads(products[1], config.KeyValueHeads), cos, sin).transpose(1, 2);
        var v = Heads(products[2], config.KeyValueHeads).transpose(1, 2);
        if (state is not null)
        {
            (k, v) = ((KeyValueCache)state).Append(k, v);
        }

        var mask = context.Mask(config.SlidingWindow);
        var o = nn.functional.scaled_dot_product_attention(q, Repeat(k), Repeat(v), mask, 0, is_casual: mask is null && length > 1);
        return o_proj.Apply(o.transpose(1, 2).reshape(batch, length, config.QuerySize), tape, fp8?.MixerOutput).MoveToOuterDisposeScope();

        Tensor Heads(Tensor x_BTE, int heads) => x_BTE.view(batch, length, heads, config.HeadDim);
    }

    /// <inheritdoc />
    public IMixerState CreateState(long batch) => new KeyValueCache();

    // The fused kernels want as many key heads as query heads.
    private Tensor Repeat(Tensor x_BHSd) =>
        config.Heads == config.KeyValueHeads ? x_BHSd : x_BHSd.repeat_interleave(config.Heads / config.KeyValueHeads, 1);
}
