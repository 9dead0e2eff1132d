using System.Collections.Immutable;

namespace T2R.Conversion;

/// <summary>What became of every tensor on either side: each source tensor and each target tensor stands in exactly one entry.</summary>
public sealed class Ledger
{
    /// <summary>Closes the books.</summary>
    /// <param name="entries">One an act, in the order data flows through the model.</param>
    /// <param name="sources">Every tensor of the source.</param>
    /// <param name="targets">Every tensor of the target.</param>
    /// <exception cref="UserErrorException">A tensor of either side is in no entry or in several, or an entry names one that is on neither side; all are listed.</exception>
    public Ledger(IEnumerable<LedgerEntry> entries, IEnumerable<string> sources, IEnumerable<string> targets)
    {
        Entries = [.. entries];
        var problems = new Problems();
        Balance(Entries.Select(e => e.Source).OfType<string>(), sources, "source", problems);
        Balance(Entries.Select(e => e.Target).OfType<string>(), targets, "target", problems);
        problems.ThrowIfAny();
    }

    /// <summary>Every entry.</summary>
    public ImmutableArray<LedgerEntry> Entries { get; }

    private static void Balance(IEnumerable<string> booked, IEnumerable<string> existing, string side, Problems problems)
    {
        var bookings = booked.CountBy(name => name, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        foreach (string name in existing)
        {
            if (!bookings.Remove(name, out int count) || count != 1)
            {
                problems.Add($"tensor '{name}' of the {side} stands {count} times in the ledger, expected once.");
            }
        }

        foreach (string name in bookings.Keys)
        {
            problems.Add($"the ledger names tensor '{name}', which the {side} does not have.");
        }
    }
}
