namespace T2R;

/// <summary>Guesses which name was meant by one that is not known: "did you mean".</summary>
public static class NearestName
{
    /// <summary>The known name with the fewest single-character edits (Levenshtein) to the given one, if they are few for its length.</summary>
    /// <param name="given">What was written.</param>
    /// <param name="known">What could have been meant.</param>
    /// <returns>The nearest, the first of equals; null when none is near: more than a third of the characters, and more than one, would change.</returns>
    public static string? Of(string given, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(given);
        ArgumentNullException.ThrowIfNull(known);
        (string? name, int edits) = known.Select(k => (k, Edits(given, k))).MinBy(pair => pair.Item2);
        return name is not null && edits <= Math.Max(1, Math.Max(given.Length, name.Length) / 3) ? name : null;
    }

    // Row by row of the usual table; row[j] = edits from the characters of a so far to the first j of b.
    private static int Edits(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
