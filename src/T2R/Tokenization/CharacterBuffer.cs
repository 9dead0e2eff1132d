using System.Buffers;
using System.Text;

namespace T2R.Tokenization;

/// <summary>Makes characters of bytes in UTF-8 that come one after another; bytes of a character wait until it is complete or cannot become one.</summary>
/// <param name="eachByte">Whether each byte that is in no character is U+FFFD; else each stretch that could have become one is (Unicode's recommended practice).</param>
internal sealed class CharacterBuffer(bool eachByte)
{
    private readonly byte[] _bytes = new byte[4];
    private int _count;

    /// <summary>Whether bytes wait.</summary>
    public bool HasPending => _count > 0;

    /// <summary>Takes bytes.</summary>
    /// <returns>What is certain now.</returns>
    public string Append(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        foreach (byte value in bytes)
        {
            _bytes[_count++] = value;
            Take(text, atEnd: false);
        }

        return text.ToString();
    }

    /// <summary>Ends the bytes.</summary>
    /// <returns>U+FFFD for what never became a character.</returns>
    public string Flush()
    {
        var text = new StringBuilder();
        Take(text, atEnd: true);
        return text.ToString();
    }

    private void Take(StringBuilder text, bool atEnd)
    {
        while (_count > 0)
        {
            OperationStatus status = Rune.DecodeFromUtf8(_bytes.AsSpan(0, _count), out Rune rune, out int length);
            if (status == OperationStatus.NeedMoreData && !atEnd)
            {
                break;
            }

            text.Append(rune.ToString());
            if (status != OperationStatus.Done && eachByte)
            {
                text.Append('\uFFFD', length - 1);
            }

            _bytes.AsSpan(length, _count - length).CopyTo(_bytes);
            _count -= length;
        }
    }
}
