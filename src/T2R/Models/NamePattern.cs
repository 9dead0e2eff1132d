namespace T2R.Models;

/// <summary>Weight names with <c>*</c> for any characters, none included.</summary>
internal static class NamePattern
{
    public static bool Matches(string pattern, string name)
    {
        string[] parts = pattern.Split('*');
        if (parts.Length == 1)
        {
            return pattern == name;
        }

        if (name.Length < parts[0].Length + parts[^1].Length || !name.StartsWith(parts[0], StringComparison.Ordinal) || !name.EndsWith(parts[^1], StringComparison.Ordinal))
        {
            return false;
        }

        // What lies between the fixed ends: the inner parts must occur in order, and the earliest place of each leaves most room for the next.
        ReadOnlySpan<char> rest = name.AsSpan(parts[0].Length, name.Length - parts[0].Length - parts[^1].Length);
        foreach (string part in parts[1..^1])
        {
            int at = rest.IndexOf(part, StringComparison.Ordinal);
            if (at < 0)
            {
                return false;
            }

            rest = rest[(at + part.Length)..];
        }

        return true;
    }
}
