using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>Which keys a query may see.</summary>
internal static class AttentionMask
{
    /// <summary>Causal, within the window, within the document.</summary>
    /// <param name="queries">T: the last T of the keys' positions are the queries'.</param>
    /// <param name="keys">S ≥ T.</param>
    /// <param name="slidingWindow">Positions a token sees, itself included: key j is seen by query i when i − window &lt; j ≤ i.</param>
    /// <param name="documentStarts_BS">bool <c>[B, S]</c>, true where a document starts; or null.</param>
    /// <param name="device">Where to build it.</param>
    /// <returns>bool <c>[B or 1, 1, T, S]</c>, true where seen.</returns>
    public static Tensor Build(long queries, long keys, int? slidingWindow, Tensor? documentStarts_BS, Device device)
    {
        using var scope = NewDisposeScope();
        var i = arange(keys - queries, keys, ScalarType.Int64, device).unsqueeze(1);
        var j = arange(0, keys, ScalarType.Int64, device).unsqueeze(0);
        var seen = j <= i;
        if (slidingWindow is { } window)
        {
            seen = seen.logical_and(j > i - window);
        }

        seen = seen.unsqueeze(0).unsqueeze(0);
        if (documentStarts_BS is not null)
        {
            var document_BS = documentStarts_BS.to(ScalarType.Int64).cumsum(1);
            var same = document_BS.narrow(1, keys - queries, queries).unsqueeze(2) == document_BS.unsqueeze(1);
            seen = seen.logical_and(same.unsqueeze(1));
        }

        return seen.MoveToOuterDisposeScope();
    }
}
