using T2R.Data;

namespace T2R.Training;

/// <summary>Tells one text from another without reading all of it.</summary>
/// <param name="Tokens">Its length.</param>
/// <param name="Sample">A hash of ids at even distances (FNV-1a), and of the lengths and weights of several sources.</param>
internal sealed record CorpusMark(long Tokens, string Sample)
{
    private const int Samples = 4096;

    public static CorpusMark Of(TokenMixture text)
    {
        ulong hash = 14695981039346656037;
        foreach ((TokenStream stream, double weight) in text.Sources)
        {
            for (int i = 0; i < Samples; i++)
            {
                hash = Mixed(hash, (uint)stream[stream.Count * i / Samples]);
            }

            // Alone a stream has no share to be another's.
            hash = text.Sources.Count > 1 ? Mixed(Mixed(hash, (ulong)stream.Count), BitConverter.DoubleToUInt64Bits(weight)) : hash;
        }

        return new CorpusMark(text.Count, hash.ToString("x16"));
    }

    private static ulong Mixed(ulong hash, ulong with) => (hash ^ with) * 1099511628211;
}
