namespace T2R.Generation.Decoding;

/// <summary>Where each slot's logits lie: those of the slots that the latest reading was for, and of no others.</summary>
internal sealed class LogitsRows
{
    private readonly int[] _rows; // by slot; −1 for none

    /// <summary>Of slots that nothing was read for.</summary>
    /// <param name="slots">How many.</param>
    public LogitsRows(int slots)
    {
        _rows = new int[slots];
        ForgetAll();
    }

    /// <summary>A slot's row.</summary>
    /// <param name="slot">Which.</param>
    /// <exception cref="ArgumentException">It has none.</exception>
    public int this[int slot]
    {
        get => (uint)slot < (uint)_rows.Length && _rows[slot] >= 0
            ? _rows[slot]
            : throw new ArgumentException($"slot {slot} was not among those that read last", nameof(slot));
        set => _rows[slot] = value;
    }

    /// <summary>A slot has none any more.</summary>
    /// <param name="slot">Which.</param>
    public void Forget(int slot) => _rows[slot] = -1;

    /// <summary>No slot has any more.</summary>
    public void ForgetAll() => Array.Fill(_rows, -1);
}
