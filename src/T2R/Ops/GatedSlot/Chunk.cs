using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// Chunks of 64 tokens with matrix products, on any device, gradients by autograd.
/// With G the running sum of g inside a chunk, for tokens j ≤ t of one chunk and the state H₀ before it
/// <code>
/// qₜᵀ Hkₜ = exp(Gₜ) ∘ (qₜᵀ Hk₀) + Σⱼ (qₜ·kⱼ) sⱼ ∘ exp(Gₜ − Gⱼ)
/// oₜ = (pₜ ∘ exp(Gₜ)) Hv₀ + Σⱼ (pₜ · (sⱼ ∘ exp(Gₜ − Gⱼ))) vⱼ
/// </code>
/// (Zhang et al., NeurIPS 2024, section 3; sub-chunks as in Yang et al., Gated Linear Attention, ICML 2024, section 4.)
/// Every exponent is a difference of sums that is at most 0: inside a sub-chunk of 16 tokens the pairs (t, j) are laid out in full, and
/// between sub-chunks exp(Gₜ − Gⱼ) is split at the token before t's sub-chunk. A pair with a document boundary between j and t has the factor 0.
/// </summary>
internal static class Chunk
{
    /// <summary>Tokens of a chunk.</summary>
    internal const long Length = 64;

    private const long SubLength = 16;

    // Shapes: B batch, N key-value heads, G query heads of one, L chunks, C tokens of a chunk, S sub-chunks of it, c tokens of a sub-chunk.
    internal static (Tensor Output, GatedSlotState Final) Apply(
        Tensor q_BTHK, Tensor k_BTNK, Tensor v_BTNV, Tensor s_BTNM, Tensor g_BTNM, GatedSlotState initial, Tensor? documentStarts)
    {
        var (dtype, length, heads, keyDim) = (initial.Keys.dtype, q_BTHK.shape[1], k_BTNK.shape[2], k_BTNK.shape[3]);
        long padded = (length + SubLength - 1) / SubLength * SubLength;
        long chunk = Math.Min(Length, padded);
        padded = (length + chunk - 1) / chunk * chunk;
        long sub = chunk / SubLength;

        bool isHalf = v_BTNV.dtype is ScalarType.BFloat16 or ScalarType.Float16;

        // A padding token writes nothing and forgets nothing.
        Tensor Chunked(Tensor x_BTND) =>
            nn.functional.pad(x_BTND.to(dtype), [0, 0, 0, 0, 0, padded - length]).unflatten(1, -1, chunk).permute(0, 3, 1, 2, 4);

        using var k_BNLCK = Chunked(k_BTNK);
        using var v_BNLCV = Chunked(v_BTNV);
        using var s_BNLCM = Chunked(s_BTNM);
        using var q_BNLCGK = Kept(() => Chunked(q_BTHK.flatten(2, 3).unflatten(2, heads, -1)).unflatten(4, -1, keyDim));
        using var q_BNLXK = q_BNLCGK.flatten(3, 4);
        long groups = q_BNLCGK.shape[4];
        using var decay = new ChunkDecay(g_BTNM, documentStarts, padded, chunk, SubLength, dtype, isHalf ? ScalarType.Float32 : ScalarType.Float64);

        // The state before each chunk: [M, K + V], keys and values side by side, because a slot of both decays alike.
        using var written_BNLMD = Kept(() => (s_BNLCM * decay.ToEnd_BNLCM).mT.matmul(torch.cat([k_BNLCK, v_BNLCV], -1)));
        var (before_BNLMD, after_BNMD) = Scan(torch.cat([initial.Keys.mT, initial.Values], -1), written_BNLMD, decay.Whole_BNLM);
        var parts = before_BNLMD.split([keyDim, v_BTNV.shape[3]], -1);
        var (keys_BNLMK, values_BNLMV) = (parts[0], parts[1]);

        // What token j left of itself when t's sub-chunk begins, and, in the same sub-chunk, at t.
        using var earlier_BNLSCM = s_BNLCM.unsqueeze(3) * decay.ToSub_BNLSCM;
        using var within_BNLSccM = s_BNLCM.unflatten(3, sub, SubLength).unsqueeze(4) * decay.Pair_BNLSccM;
        decay.ToSub_BNLSCM.Dispose();
        decay.Pair_BNLSccM.Dispose();
        using var sinceSub_BNLSc1M = decay.SinceSub_BNLCM.unflatten(3, sub, SubLength).unsqueeze(5);
        using var sinceStart_BNLC1M = decay.SinceStart_BNLCM.unsqueeze(4);

        Tensor BySub(Tensor x_BNLXD) => x_BNLXD.unflatten(3, sub, SubLength * groups);
        Tensor ByToken(Tensor x_BNLSYD) => x_BNLSYD.unflatten(4, SubLength, groups);

        using var p_BNLCGM = Kept(() =>
        {
            var qk_BNLSYC = BySub(q_BNLXK.matmul(k_BNLCK.mT));
            var qk_BNLScGc = ByToken(BySub(q_BNLXK).matmul(k_BNLCK.unflatten(3, sub, SubLength).mT));
            var logits_BNLScGM = (ByToken(qk_BNLSYC.matmul(earlier_BNLSCM)) * sinceSub_BNLSc1M).add_(qk_BNLScGc.matmul(within_BNLSccM));
            return logits_BNLScGM.flatten(3, 4)
                .add_(q_BNLXK.matmul(keys_BNLMK.mT).unflatten(3, chunk, groups) * sinceStart_BNLC1M)
                .softmax(-1);
        });
        var output = Kept(() =>
        {
            var p_BNLScGM = p_BNLCGM.unflatten(3, sub, SubLength);
            var pv_BNLXC = (p_BNLScGM * sinceSub_BNLSc1M).flatten(4, 5).matmul(earlier_BNLSCM.mT).flatten(3, 4);
            var pv_BNLSYc = p_BNLScGM.matmul(within_BNLSccM.mT).flatten(4, 5);
            var o_BNLXV = pv_BNLXC.matmul(v_BNLCV)
                .add_(pv_BNLSYc.matmul(v_BNLCV.unflatten(3, sub, SubLength)).flatten(3, 4))
                .add_((p_BNLCGM * sinceStart_BNLC1M).flatten(3, 4).matmul(values_BNLMV));
            return o_BNLXV.unflatten(3, chunk, groups).permute(0, 2, 3, 1, 4, 5).flatten(3, 4).flatten(1, 2)[.., ..(int)length].to(v_BTNV.dtype);
        });
        var ends = after_BNMD.split([keyDim, v_BTNV.shape[3]], -1);
        return (output, new GatedSlotState(ends[0].mT, ends[1]));
    }

    // What only the result was made of goes, unless a backward is to read it.
    private static Tensor Kept(Func<Tensor> make)
    {
        using var scope = torch.NewDisposeScope();
        return make().MoveToOuterDisposeScope();
    }

    private static (Tensor Before, Tensor After) Scan(Tensor state_BNMD, Tensor written_BNLMD, Tensor decay_BNLM)
    {
        var written = written_BNLMD.unbind(2);
        var decay = decay_BNLM.unsqueeze(-1).unbind(2);
        var before = new Tensor[written.Length];
        for (int i = 0; i < before.Length; i++)
        {
            before[i] = state_BNMD;
            state_BNMD = written[i].addcmul(state_BNMD, decay[i], 1);
        }

        return (torch.stack(before, 2), state_BNMD);
    }
}
