namespace T2R;

/// <summary>Guesses which name was meant by one that is not known: "did you mean".</summary>
public static class NearestName
{
    /// <summary>The known name with the fewest edits to the given one, if they are few for its length.</summary>
    /// <param name="given">What was written.</param>
    /// <param name="known">What could have been meant.</param>
    /// <returns>The nearest, the first of equals; null when none is near: more than a third of the characters, and more than one, would change.</returns>
    public static string? Of(string given, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(given);
        ArgumentNullException.ThrowIfNull(known);
        string? nearest = known.MinBy(k => Edits(given, k));
        return nearest is not null && Edits(given, nearest) <= Math.Max(1, Math.Max(given.Length, nearest.Length) / 3) ? nearest : null;
    }

    // Insertions, deletions, replacements and swaps of neighbours (the optimal string alignment distance): table[i, j] = from i characters of a to j of b.
    private static int Edits(string a, string b)
    {
        int[,] table = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                table[i, j] = i == 0 || j == 0 ? i + j : Math.Min(
                    Math.Min(table[i - 1, j], table[i, j - 1]) + 1,
                    table[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    table[i, j] = Math.Min(table[i, j], table[i - 2, j - 2] + 1);
                }
            }
        }

        return table[a.Length, b.Length];
    }
}
