namespace T2R.Tokenization;

/// <summary>
/// Decodes ids one at a time. What it returns never changes afterwards and never splits a character: bytes of a character wait until it is complete or
/// cannot become one. All it returned, joined, is what the tokenizer decodes the whole to.
/// </summary>
public abstract class IncrementalDecoder
{
    private protected IncrementalDecoder()
    {
    }

    /// <summary>Whether bytes of an incomplete character wait.</summary>
    public abstract bool HasPending { get; }

    /// <summary>Takes one id.</summary>
    /// <param name="id">From 0 to the vocabulary's size, exclusive.</param>
    /// <returns>The text that is now certain; empty for special tokens and incomplete characters.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public abstract string Append(int id);

    /// <summary>Ends the text; the decoder then is as new.</summary>
    /// <returns>U+FFFD for bytes of a character that never became complete.</returns>
    public abstract string Flush();
}
