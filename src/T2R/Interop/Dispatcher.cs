using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>Operators of libtorch that TorchSharp lacks, or offers without an argument this project needs. All take part in autograd.</summary>
public static class Dispatcher
{
    /// <summary>
    /// softmax(q kᵀ · scale + mask) v for each head, by the fastest kernel libtorch has for the device (PyTorch:
    /// <c>torch.nn.functional.scaled_dot_product_attention</c>). Softmax and sums are in fp32 for half types.
    /// </summary>
    /// <param name="q_BHTD">Queries, [B, H, T, D].</param>
    /// <param name="k_BHSD">Keys, [B, G, S, D], G = H or, with <paramref name="enableGqa"/>, a divisor of H: query head h reads key head h / (H / G).</param>
    /// <param name="v_BHSD">Values, [B, G, S, D] (the last size may differ from D).</param>
    /// <param name="mask">Broadcast to [B, H, T, S]: bool, true where a query may look, or of q's dtype, added to the scores. A row with nothing to look at gives zeros or NaN by kernel: avoid it.</param>
    /// <param name="isCausal">Whether query t sees keys 0 … t only, counted from the first key also when T differs from S. Excludes a mask.</param>
    /// <param name="scale">What scores are multiplied by; null means 1/√D.</param>
    /// <param name="enableGqa">Whether several query heads may share a key head.</param>
    /// <returns>[B, H, T, D of the values], in q's dtype.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit, or both a mask and <paramref name="isCausal"/> are given.</exception>
    /// <exception cref="InvalidOperationException">libtorch refused; its reason is on standard error.</exception>
    public static Tensor ScaledDotProductAttention(
        Tensor q_BHTD, Tensor k_BHSD, Tensor v_BHSD, Tensor? mask = null, bool isCausal = false, double? scale = null, bool enableGqa = false)
    {
        ArgumentNullException.ThrowIfNull(q_BHTD);
        ArgumentNullException.ThrowIfNull(k_BHSD);
        ArgumentNullException.ThrowIfNull(v_BHSD);
        RequireAttentionShapes(q_BHTD.shape, k_BHSD.shape, v_BHSD.shape, enableGqa);
        if (mask is not null && isCausal)
        {
            throw new ArgumentException("a mask and isCausal exclude each other: put the causal part into the mask", nameof(mask));
        }

        // aten::scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0, is_causal=False, *, scale=None, enable_gqa=False)
        return OperatorCall.Invoke("aten::scaled_dot_product_attention"u8,
        [
            OperatorCall.Argument(q_BHTD),
            OperatorCall.Argument(k_BHSD),
            OperatorCall.Argument(v_BHSD),
            OperatorCall.Optional(mask),
            OperatorCall.Argument(0.0),
            OperatorCall.Argument(isCausal),
            OperatorCall.Optional(scale),
            OperatorCall.Argument(enableGqa),
        ]);
    }

    /// <summary>x / √(mean(x²) + eps) · weight over the last dimension (Zhang and Sennrich, arXiv:1910.07467).</summary>
    /// <param name="x">[…, D].</param>
    /// <param name="weight">[D], of x's dtype.</param>
    /// <param name="eps">Added to the mean square.</param>
    /// <returns>[…, D], in x's dtype; half types are squared and averaged in fp32.</returns>
    /// <exception cref="ArgumentException">The weight is not one vector of x's last size, or has another dtype.</exception>
    /// <exception cref="InvalidOperationException">libtorch refused; its reason is on standard error.</exception>
    public static Tensor RmsNorm(Tensor x, Tensor weight, double eps)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        if (x.dim() == 0 || weight.dim() != 1 || weight.shape[0] != x.shape[^1])
        {
            throw new ArgumentException($"the weight is {Shape(weight.shape)}; for x {Shape(x.shape)} it must be one vector of x's last size", nameof(weight));
        }

        if (weight.dtype != x.dtype)
        {
            throw new ArgumentException($"the weight is {weight.dtype} and x is {x.dtype}; they must be alike", nameof(weight));
        }

        // aten::rms_norm(input, normalized_shape, weight=None, eps=None)
        return OperatorCall.Invoke("aten::rms_norm"u8,
            [OperatorCall.Argument(x), OperatorCall.List([weight.shape[0]]), OperatorCall.Optional(weight), OperatorCall.Optional(eps)]);
    }

    /// <summary>dx = dy · silu′(x), silu′(x) = σ(x)(1 + x(1 − σ(x))), in one pass; half types are computed in fp32 and rounded once.</summary>
    /// <param name="dy">The gradient of silu(x).</param>
    /// <param name="x">Of dy's shape and dtype.</param>
    /// <returns>The gradient of x.</returns>
    /// <exception cref="InvalidOperationException">libtorch refused; its reason is on standard error.</exception>
    public static Tensor SiluBackward(Tensor dy, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(dy);
        ArgumentNullException.ThrowIfNull(x);
        return OperatorCall.Invoke("aten::silu_backward"u8, [OperatorCall.Argument(dy), OperatorCall.Argument(x)]);
    }

    /// <summary>The gradient of an embedding's weight: the rows of <paramref name="dy"/> summed by id, in fp32 for half types; the same bits every time (PyTorch's own for <c>nn.Embedding</c>).</summary>
    /// <param name="dy">The gradient of what was looked up, […, D].</param>
    /// <param name="ids">int64, dy's shape without the last size.</param>
    /// <param name="vocabularySize">V.</param>
    /// <returns>[V, D], in dy's dtype.</returns>
    /// <exception cref="InvalidOperationException">libtorch refused; its reason is on standard error.</exception>
    public static Tensor EmbeddingBackward(Tensor dy, Tensor ids, long vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(dy);
        ArgumentNullException.ThrowIfNull(ids);

        // aten::embedding_dense_backward(grad_output, indices, num_weights, padding_idx, scale_grad_by_freq)
        return OperatorCall.Invoke("aten::embedding_dense_backward"u8,
            [OperatorCall.Argument(dy), OperatorCall.Argument(ids), OperatorCall.Argument(vocabularySize), OperatorCall.Argument(-1L), OperatorCall.Argument(false)]);
    }

    /// <summary>y = (α a)(β b)ᵀ of matrices in FP8, summed in fp32 and rounded once (PyTorch's <c>torch._scaled_mm</c>). On a card both lie as they are multiplied, their rows' numbers side by side.</summary>
    /// <param name="a_MK">[M, K], dense.</param>
    /// <param name="b_NK">[N, K], dense. On a card K and N are multiples of 16, and not both matrices are E5M2.</param>
    /// <param name="alpha">An fp32 scalar on the matrices' device.</param>
    /// <param name="beta">Another.</param>
    /// <param name="dtype">Of y.</param>
    /// <param name="fastSums">Whether sums may stay in the tensor cores, which keep fewer bits than fp32, for longer than they must: faster on Hopper, less exact.</param>
    /// <returns>[M, N].</returns>
    /// <exception cref="InvalidOperationException">libtorch refused; its reason is on standard error.</exception>
    public static Tensor ScaledProduct(Tensor a_MK, Tensor b_NK, Tensor alpha, Tensor beta, ScalarType dtype, bool fastSums)
    {
        ArgumentNullException.ThrowIfNull(a_MK);
        ArgumentNullException.ThrowIfNull(b_NK);
        ArgumentNullException.ThrowIfNull(alpha);
        ArgumentNullException.ThrowIfNull(beta);
        using var b_KN = b_NK.t();

        // aten::_scaled_mm(self, mat2, scale_a, scale_b, bias=None, scale_result=None, out_dtype=None, use_fast_accum=False)
        return OperatorCall.Invoke("aten::_scaled_mm"u8,
        [
            OperatorCall.Argument(a_MK),
            OperatorCall.Argument(b_KN),
            OperatorCall.Argument(alpha),
            OperatorCall.Argument(beta),
            OperatorCall.Optional((Tensor?)null),
            OperatorCall.Optional((Tensor?)null),
            OperatorCall.Optional(dtype),
            OperatorCall.Argument(fastSums),
        ]);
    }

    private static void RequireAttentionShapes(long[] q, long[] k, long[] v, bool enableGqa)
    {
        if (q is not [long b, long h, _, long d] || k is not [long kb, long g, long s, long kd] || v is not [long vb, long vg, long vs, _]
            || kb != b || vb != b || kd != d || vs != s || vg != g)
        {
            throw new ArgumentException($"attention needs q [B, H, T, D], k [B, G, S, D], v [B, G, S, D]; got q {Shape(q)}, k {Shape(k)}, v {Shape(v)}");
        }

        if (enableGqa ? g == 0 || h % g != 0 : h != g)
        {
            throw new ArgumentException($"{h} query heads cannot share {g} key heads" + (enableGqa ? "" : " without enableGqa"));
        }
    }

    private static string Shape(long[] sizes) => $"[{string.Join(", ", sizes)}]";
}
