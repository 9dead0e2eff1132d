namespace T2R.Tokenization;

/// <summary>A word of the training text as the symbols it is merged to so far.</summary>
/// <param name="symbols">One symbol a character.</param>
/// <param name="count">How often the word occurs.</param>
internal sealed class TrainingWord(int[] symbols, long count)
{
    private int _length = symbols.Length;

    public long Count => count;

    public ReadOnlySpan<int> Symbols => symbols.AsSpan(0, _length);

    public bool Holds(int left, int right)
    {
        for (int i = 1; i < _length; i++)
        {
            if (symbols[i - 1] == left && symbols[i] == right)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Replaces every such pair, from the left.</summary>
    public void Merge(int left, int right, int merged)
    {
        int written = 0;
        for (int read = 0; read < _length; read++)
        {
            bool merges = read + 1 < _length && symbols[read] == left && symbols[read + 1] == right;
            symbols[written++] = merges ? merged : symbols[read];
            read += merges ? 1 : 0;
        }

        _length = written;
    }
}
