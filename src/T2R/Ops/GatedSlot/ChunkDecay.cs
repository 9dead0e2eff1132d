using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// How much of a slot survives between two places of a chunk: exp of the sum of g over the tokens in between, 0 when a document starts there.
/// Sums run from the chunk's first token on, in fp64, so that the difference of two of them is exact to fp32; for inputs in a half type, in fp32.
/// </summary>
internal sealed class ChunkDecay : IDisposable
{
    private readonly ScalarType _dtype;

    /// <param name="g_BTNM">Log forget gates.</param>
    /// <param name="documentStarts">bool [B, T], or null.</param>
    /// <param name="padded">T rounded up to whole chunks.</param>
    /// <param name="chunk">Tokens of a chunk, C.</param>
    /// <param name="subLength">Tokens of a sub-chunk, c; C = S·c.</param>
    /// <param name="dtype">Type of the factors.</param>
    /// <param name="sumDtype">Type of the sums.</param>
    internal ChunkDecay(Tensor g_BTNM, Tensor? documentStarts, long padded, long chunk, long subLength, ScalarType dtype, ScalarType sumDtype)
    {
        using var scope = torch.NewDisposeScope();
        _dtype = dtype;
        long padding = padded - g_BTNM.shape[1], sub = chunk / subLength;
        Tensor? starts_BN1LCM = null;
        if (documentStarts is not null)
        {
            g_BTNM = g_BTNM.masked_fill(documentStarts[.., .., TensorIndex.None, TensorIndex.None], 0);
            starts_BN1LCM = nn.functional.pad(documentStarts.to(ScalarType.Int32), [0, padding]).unflatten(1, -1, chunk).cumsum(2)[.., TensorIndex.None, .., .., TensorIndex.None];
        }

        // Place i of a chunk lies before its token i, so there are C + 1 places.
        var sums = nn.functional.pad(g_BTNM.to(sumDtype), [0, 0, 0, 0, 0, padding]).unflatten(1, -1, chunk).permute(0, 3, 1, 2, 4).cumsum(3);
        var places = new Places(nn.functional.pad(sums, [0, 0, 1, 0]), starts_BN1LCM is null ? null : nn.functional.pad(starts_BN1LCM, [0, 0, 1, 0]));
        var tokens = places.Slice(1, chunk + 1, 1);
        var subStarts = places.Slice(0, chunk, subLength);
        var end = places.Slice(chunk, chunk + 1, 1);

        SinceStart_BNLCM = Between(places.Slice(0, 1, 1), tokens);
        ToEnd_BNLCM = Between(tokens, end);
        Whole_BNLM = Between(places.Slice(0, 1, 1), end).squeeze(3);
        SinceSub_BNLCM = Between(subStarts.Unsqueeze(4), tokens.Unflatten(sub, subLength)).flatten(3, 4);

        var earlier_SC1 = torch.arange(chunk, device: g_BTNM.device)[TensorIndex.None, .., TensorIndex.None]
            .lt(torch.arange(0, chunk, subLength, device: g_BTNM.device)[.., TensorIndex.None, TensorIndex.None]);
        ToSub_BNLSCM = Between(tokens.Unsqueeze(3), subStarts.Unsqueeze(4), earlier_SC1);

        var causal_cc1 = torch.ones([subLength, subLength], ScalarType.Bool, g_BTNM.device).tril().unsqueeze(-1);
        var inner = tokens.Unflatten(sub, subLength);
        Pair_BNLSccM = Between(inner.Unsqueeze(4), inner.Unsqueeze(5), causal_cc1);
        Array.ForEach(All, t => t.MoveToOuterDisposeScope());
    }

    /// <summary>From before the chunk to each token, the token's own decay included.</summary>
    internal Tensor SinceStart_BNLCM { get; }

    /// <summary>From each token to the end of the chunk.</summary>
    internal Tensor ToEnd_BNLCM { get; }

    /// <summary>Over the whole chunk.</summary>
    internal Tensor Whole_BNLM { get; }

    /// <summary>From before its sub-chunk to each token.</summary>
    internal Tensor SinceSub_BNLCM { get; }

    /// <summary>From token j to the start of sub-chunk i; 0 where j is not before it.</summary>
    internal Tensor ToSub_BNLSCM { get; }

    /// <summary>From token j to token t of one sub-chunk, at [t, j]; 0 where j is after t.</summary>
    internal Tensor Pair_BNLSccM { get; }

    private Tensor[] All => [SinceStart_BNLCM, ToEnd_BNLCM, Whole_BNLM, SinceSub_BNLCM, ToSub_BNLSCM, Pair_BNLSccM];

    /// <inheritdoc />
    public void Dispose() => Array.ForEach(All, t => t.Dispose());

    private Tensor Between(Places from, Places to, Tensor? ordered = null)
    {
        var difference = to.Sums - from.Sums;
        if (ordered is not null)
        {
            difference.masked_fill_(ordered.logical_not(), double.NegativeInfinity);
        }

        if (from.Starts is not null && to.Starts is not null)
        {
            difference.masked_fill_(from.Starts.ne(to.Starts), double.NegativeInfinity);
        }

        using (difference)
        {
            return difference.to(_dtype).exp_();
        }
    }

    /// <summary>Running sums [B, N, L, place, M], and the count of document starts so far [B, 1, L, place, 1].</summary>
    private sealed record Places(Tensor Sums, Tensor? Starts)
    {
        internal Places Slice(long start, long stop, long step) => Each(x => x.slice(3, start, stop, step));

        internal Places Unsqueeze(long dim) => Each(x => x.unsqueeze(dim));

        internal Places Unflatten(long sub, long subLength) => Each(x => x.unflatten(3, sub, subLength));

        private Places Each(Func<Tensor, Tensor> view) => new(view(Sums), Starts is null ? null : view(Starts));
    }
}
