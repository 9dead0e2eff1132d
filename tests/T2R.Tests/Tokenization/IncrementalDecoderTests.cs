using System.Buffers;
using System.Text;
using CsCheck;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

public sealed class IncrementalDecoderTests
{
    private static readonly SentencePieceTokenizer Tokenizer =
        TinyModels.Tokenizer([.. TinyModels.Ranked(TinyModels.English), new("▁u▁", 0, SentencePieceType.UserDefined)]);

    [Fact]
    public void A_character_spelled_in_bytes_appears_when_its_last_byte_does()
    {
        IncrementalDecoder decoder = Tokenizer.NewDecoder();
        Assert.Equal(["", "", "", "😀"], "😀"u8.ToArray().Select(b => decoder.Append(b + 3)));
        Assert.Equal("", decoder.Flush());
    }

    [Fact]
    public void Each_byte_that_cannot_be_part_of_a_character_is_U_FFFD() =>
        Assert.Equal("\uFFFD\uFFFDA\uFFFD\uFFFD", Tokenizer.Decode([0xE2 + 3, 0x96 + 3, 'A' + 3, 0xFF + 3, 0xF0 + 3]));

    [Fact]
    public void Any_other_piece_ends_the_bytes() =>
        Assert.Equal("\uFFFD\uFFFD", Tokenizer.Decode([0xC3 + 3, 1, 0xA9 + 3]));

    [Fact]
    public void Control_pieces_have_no_text_and_the_unknown_piece_its_surface()
    {
        int the = Tokenizer.EncodeToIds("the")[0];
        Assert.Equal("the the ⁇ ", Tokenizer.Decode([1, the, the, 0, 2]));
    }

    [Fact]
    public void Only_the_first_space_is_the_dummy_prefix()
    {
        Assert.Equal("the  the", Tokenizer.Decode(Tokenizer.EncodeToIds("the  the")));
        Assert.Equal("  the", Tokenizer.Decode(Tokenizer.EncodeToIds("  the")));
    }

    [Fact]
    public void An_id_outside_the_vocabulary_is_named()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.Decode([Tokenizer.VocabularySize]));
        Assert.Contains($"no id {Tokenizer.VocabularySize}", error.Message);
    }

    [Fact]
    public void What_was_returned_stands_and_is_made_of_whole_characters()
    {
        Gen.Int[0, Tokenizer.VocabularySize - 1].Array[0, 30].Sample(
            ids =>
            {
                IncrementalDecoder decoder = Tokenizer.NewDecoder();
                var text = new StringBuilder();
                foreach (int id in ids)
                {
                    string certain = decoder.Append(id);
                    char[] whole = certain.ToCharArray();
                    SentencePieceNormalizer.ReplaceLoneSurrogates(whole);
                    Assert.Equal(new string(whole), certain);
                    text.Append(certain);
                }

                Assert.Equal(Tokenizer.Decode(ids), text.Append(decoder.Flush()).ToString());
                Assert.Equal(Tokenizer.Decode(ids), string.Concat(ids.Select(decoder.Append)) + decoder.Flush());
            },
            iter: 5000);
    }

    [Fact]
    public void Decoding_into_a_span_says_when_it_is_too_small()
    {
        int[] ids = [.. Tokenizer.EncodeToIds("the the ☃")];
        char[] destination = new char[9];
        Assert.Equal(OperationStatus.Done, Tokenizer.Decode(ids, destination, out int consumed, out int written));
        Assert.Equal((ids.Length, 9, "the the ☃"), (consumed, written, new string(destination)));
        Assert.Equal(OperationStatus.DestinationTooSmall, Tokenizer.Decode(ids, destination.AsSpan(0, 5), out consumed, out written));
        Assert.Equal((1, 3), (consumed, written));
    }
}
