using T2R.Data;

namespace T2R.Training;

/// <summary>Tells one text from another without reading all of it.</summary>
/// <param name="Tokens">Its length.</param>
/// <param name="Sample">A hash of ids at even distances (FNV-1a), and of the lengths of several sources.</param>
/// <param name="Shares">What each of several sources' weights is of their sum; null of one, which alone has no share to be another's.</param>
internal sealed record CorpusMark(long Tokens, string Sample, string? Shares = null)
{
    private const int Samples = 4096;

    public static CorpusMark Of(TokenMixture text)
    {
        ulong hash = 14695981039346656037;
        foreach ((TokenStream stream, _) in text.Sources)
        {
            for (int i = 0; i < Samples; i++)
            {
                hash = Mixed(hash, (uint)stream[stream.Count * i / Samples]);
            }

            hash = text.Sources.Count > 1 ? Mixed(hash, (ulong)stream.Count) : hash;
        }

        return new CorpusMark(text.Count, hash.ToString("x16"), text.Sources.Count > 1 ? SharesOf(text) : null);
    }

    // Of fewer digits than a number has, as 1 of 3 and 0.1 of 0.3 are the same share.
    private static string SharesOf(TokenMixture text)
    {
        double sum = text.Sources.Sum(s => s.Weight);
        return string.Join(" : ", text.Sources.Select(s => (s.Weight / sum).ToString("G12", System.Globalization.CultureInfo.InvariantCulture)));
    }

    private static ulong Mixed(ulong hash, ulong with) => (hash ^ with) * 1099511628211;
}
