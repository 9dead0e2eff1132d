namespace T2R.Tokenization;

/// <summary>
/// Tells where a text can be cut without changing how it is merged. A merge across the border of two characters makes a piece in which they are
/// neighbours; where no piece has them as neighbours, no merge ever crosses, and since the order of merges on one side does not depend on the other,
/// both sides can be encoded apart. Neighbours are remembered as a hashed bit set: a collision only means one cut less.
/// </summary>
internal sealed class AdjacencyFilter
{
    // 2^18 bits, 32 KiB: stays in the first-level cache, and is sparse for the 10^4 or so different neighbours of a real vocabulary.
    private const int Bits = 18;
    private readonly ulong[] _set = new ulong[1 << (Bits - 6)];

    public AdjacencyFilter(IEnumerable<string> pieces)
    {
        foreach (string piece in pieces)
        {
            for (int i = 1; i < piece.Length; i++)
            {
                uint bit = Hash(piece[i - 1], piece[i]);
                _set[bit >> 6] |= 1UL << (int)(bit & 63);
            }
        }
    }

    /// <summary>
    /// The end of the first part of a text that can be encoded by itself; the whole length when it cannot be cut. The text holds no lone surrogates.
    /// </summary>
    public int FirstCut(ReadOnlySpan<char> text)
    {
        ulong[] set = _set;
        for (int i = 1; i < text.Length; i++)
        {
            uint bit = Hash(text[i - 1], text[i]);
            if ((set[bit >> 6] & (1UL << (int)(bit & 63))) == 0 && !char.IsLowSurrogate(text[i]))
            {
                return i;
            }
        }

        return text.Length;
    }

    private static uint Hash(char left, char right) => ((((uint)left << 16) | right) * 0x9E3779B1u) >> (32 - Bits);
}
