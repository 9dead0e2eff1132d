namespace T2R.Tokenization;

/// <summary>Two neighbouring symbols that may become a piece.</summary>
/// <param name="left">The left symbol.</param>
/// <param name="right">The right symbol.</param>
/// <param name="text">What both spell.</param>
/// <param name="length">Its length in characters.</param>
internal sealed class TrainingPair(int left, int right, string text, int length)
{
    public int Left => left;

    public int Right => right;

    public string Text => text;

    public int Length => length;

    /// <summary>How often it occurs now, overlapping occurrences each for itself.</summary>
    public long Count { get; set; }

    /// <summary>The words it occurs in, some of them no longer, some more than once.</summary>
    public List<TrainingWord> Words { get; } = [];

    public Priority Rank => new(Count, Length, Text);

    /// <summary>The more frequent first, then the shorter, then the first in ordinal order.</summary>
    internal readonly record struct Priority(long Count, int Length, string Text) : IComparable<Priority>
    {
        public int CompareTo(Priority other) =>
            Count != other.Count ? other.Count.CompareTo(Count)
            : Length != other.Length ? Length.CompareTo(other.Length)
            : string.CompareOrdinal(Text, other.Text);
    }
}
