using T2R.Data;

namespace T2R.Training;

/// <summary>Tells one token stream from another without reading all of it.</summary>
/// <param name="Tokens">Its length.</param>
/// <param name="Sample">A hash of ids at even distances (FNV-1a).</param>
internal sealed record CorpusMark(long Tokens, string Sample)
{
    private const int Samples = 4096;

    public static CorpusMark Of(TokenStream stream)
    {
        ulong hash = 14695981039346656037;
        for (int i = 0; i < Samples; i++)
        {
            hash = (hash ^ (uint)stream[stream.Count * i / Samples]) * 1099511628211;
        }

        return new CorpusMark(stream.Count, hash.ToString("x16"));
    }
}
