namespace T2R.Conversion;

/// <summary>Entries that say the same, together.</summary>
/// <param name="Action">What was done.</param>
/// <param name="Reason">Why, or how.</param>
/// <param name="Tensors">To how many tensors.</param>
/// <param name="Parameters">To how many numbers.</param>
public sealed record LedgerTotal(LedgerAction Action, string Reason, int Tensors, long Parameters)
{
    /// <summary>Sums entries by action and reason, in the order of the actions.</summary>
    public static IReadOnlyList<LedgerTotal> Of(IEnumerable<LedgerEntry> entries) =>
    [
        .. entries.GroupBy(e => (e.Action, e.Reason)).OrderBy(g => g.Key.Action).Select(g => new LedgerTotal(g.Key.Action, g.Key.Reason, g.Count(), g.Sum(e => e.Count))),
    ];
}
