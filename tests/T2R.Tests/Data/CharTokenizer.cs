using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace T2R.Tests.Data;

/// <summary>Each UTF-16 unit of a text is a token: what a stream must hold can be written down without a tokenizer.</summary>
internal sealed class CharTokenizer(int offset = 10) : Tokenizer
{
    private int _texts;

    public int TextsEncoded => _texts;

    public IEnumerable<int> Ids(string text) => text.Select(c => c + offset);

    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) => throw new NotSupportedException();

    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        Interlocked.Increment(ref _texts);
        string all = text ?? textSpan.ToString();
        return new EncodeResults<int> { Tokens = [.. Ids(all)], CharsConsumed = all.Length };
    }

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        throw new NotSupportedException();
}
