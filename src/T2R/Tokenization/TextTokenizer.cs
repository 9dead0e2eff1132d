using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace T2R.Tokenization;

/// <summary>
/// A language model's tokenizer: what the models here need beyond <see cref="Tokenizer"/>. Beginning and end of a text are the caller's to add. Safe for use by several threads at once.
/// </summary>
public abstract class TextTokenizer : Tokenizer
{
    /// <summary>Ids are 0 to this, exclusive; some may stand for nothing.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The id put before a document, null when there is none.</summary>
    public abstract int? BeginningOfSentenceId { get; }

    /// <summary>The id put before a prompt: what the tokenizer's files say is added, which for some, as GPT-2's and SmolLM's, is nothing (null).</summary>
    public abstract int? PromptBeginId { get; }

    /// <summary>The id put behind a document, null when there is none.</summary>
    public abstract int? EndOfSentenceId { get; }

    /// <summary>The id that fills up batches, null when there is none.</summary>
    public abstract int? PadId { get; }

    /// <summary>The special tokens, by what they are called; decoding skips them, but for those whose <see cref="Token.Kind"/> is text.</summary>
    public abstract IReadOnlyDictionary<string, int> ControlTokens { get; }

    /// <summary>What the tokens are called that <see cref="Split"/> finds in a text: special tokens, and others that were added to the vocabulary.</summary>
    public virtual IEnumerable<string> FoundTokens => ControlTokens.Keys;

    /// <summary>
    /// The most characters, in UTF-16 units, of a text as <see cref="Split"/> gives it that one id stands for; null if there is no such bound, as where unknown characters share an id. A text
    /// can so be found too long before it is encoded.
    /// </summary>
    public abstract int? MostCharacters { get; }

    /// <summary>Whether <see cref="AppendIds"/> finds special tokens that a text spells; else <c>&lt;s&gt;</c> is text like any other.</summary>
    public abstract bool FindsControls { get; }

    /// <summary>What an id stands for.</summary>
    /// <param name="id">The id.</param>
    /// <returns>The token; a special token without a name if the id stands for nothing.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is not from 0 to <see cref="VocabularySize"/>, exclusive.</exception>
    public abstract Token this[int id] { get; }

    /// <summary>Encodes a text and appends its ids, without allocating for texts whose words were seen before.</summary>
    /// <param name="text">Any UTF-16; a lone surrogate counts as U+FFFD.</param>
    /// <param name="ids">Receives the ids; no beginning or end of sentence is added.</param>
    public abstract void AppendIds(ReadOnlySpan<char> text, List<int> ids);

    /// <summary>Cuts a text into parts that are encoded apart, each normalized; joined, their ids are the text's.</summary>
    /// <param name="text">Any UTF-16; a lone surrogate counts as U+FFFD.</param>
    /// <param name="controls">Whether special tokens that the text spells are found; else they are text like any other.</param>
    /// <returns>The parts; no two texts follow each other.</returns>
    public abstract IReadOnlyList<TextPart> Split(string text, bool controls);

    /// <summary>Normalizes a text that goes on where a text has ended: nothing is put before it.</summary>
    /// <param name="text">Any UTF-16.</param>
    public abstract string NormalizeNext(string text);

    /// <summary>Encodes a text as <see cref="Split"/> and <see cref="NormalizeNext"/> give it.</summary>
    /// <param name="text">Normalized text; special tokens that it spells are text like any other.</param>
    /// <param name="ids">Receives the ids.</param>
    public abstract void AppendNormalizedIds(ReadOnlySpan<char> text, List<int> ids);

    /// <summary>Begins to decode ids one at a time.</summary>
    /// <param name="begun">Whether they go on with a text: a space that the tokenizer puts before a text is then none of theirs.</param>
    public abstract IncrementalDecoder NewDecoder(bool begun = false);

    /// <inheritdoc/>
    public override string Decode(IEnumerable<int> ids)
    {
        IncrementalDecoder decoder = NewDecoder();
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            text.Append(decoder.Append(id));
        }

        return text.Append(decoder.Flush()).ToString();
    }

    /// <inheritdoc/>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        IncrementalDecoder decoder = NewDecoder();
        idsConsumed = charsWritten = 0;
        int seen = 0;
        foreach (int id in ids)
        {
            if (!TryWrite(decoder.Append(id), destination, ref charsWritten))
            {
                return OperationStatus.DestinationTooSmall;
            }

            seen++;
            idsConsumed = decoder.HasPending ? idsConsumed : seen;
        }

        if (!TryWrite(decoder.Flush(), destination, ref charsWritten))
        {
            return OperationStatus.DestinationTooSmall;
        }

        idsConsumed = seen;
        return OperationStatus.Done;
    }

    /// <summary>An id that the vocabulary has.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It has not.</exception>
    internal int Checked(int id) => (uint)id < (uint)VocabularySize
        ? id
        : throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has {VocabularySize} pieces; there is no id {id}.");

    /// <summary>Keeps no more tokens than are wanted.</summary>
    /// <param name="tokens">The normalized text's.</param>
    /// <param name="most">How many are wanted.</param>
    /// <param name="normalized">The normalized text.</param>
    private protected static EncodeResults<EncodedToken> Cut(List<EncodedToken> tokens, int most, string normalized)
    {
        int consumed = normalized.Length;
        if (tokens.Count > most)
        {
            tokens.RemoveRange(most, tokens.Count - most);
            consumed = tokens.Count == 0 ? 0 : tokens[^1].Offset.End.Value;
        }

        return new() { Tokens = tokens, NormalizedText = normalized, CharsConsumed = consumed };
    }

    private static bool TryWrite(string text, Span<char> destination, ref int written)
    {
        if (!text.TryCopyTo(destination[written..]))
        {
            return false;
        }

        written += text.Length;
        return true;
    }
}
