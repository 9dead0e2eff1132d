using System.Text;

namespace T2R.Tokenization;

/// <summary>The characters that get a piece: the most frequent ones until enough of the text is covered, of equals the lower code point first.</summary>
internal sealed class TrainingAlphabet
{
    // SentencePiece's trainer uses these three itself: the end of a string, the border of a piece, and the mark for rare characters.
    private static readonly Rune[] Excluded = [new('\0'), new('\t'), new('\u2585')];

    private TrainingAlphabet(IReadOnlyList<Rune> characters) => Characters = characters;

    /// <summary>The characters, most frequent first.</summary>
    public IReadOnlyList<Rune> Characters { get; }

    public static TrainingAlphabet Of(WordCounts words, float coverage)
    {
        var counts = new Dictionary<Rune, long>();
        long all = 0;
        foreach ((string word, long count) in words)
        {
            foreach (Rune rune in word.EnumerateRunes())
            {
                counts[rune] = counts.GetValueOrDefault(rune) + count;
                all += count;
            }
        }

        var characters = new List<Rune>();
        long covered = 0;
        foreach ((Rune rune, long count) in counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key))
        {
            if ((float)((double)covered / all) >= coverage)
            {
                break;
            }

            covered += count;
            if (!Excluded.Contains(rune))
            {
                characters.Add(rune);
            }
        }

        return new TrainingAlphabet(characters);
    }
}
