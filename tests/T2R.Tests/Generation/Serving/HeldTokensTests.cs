using CsCheck;
using T2R.Generation.Serving;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Generation.Serving;

public class HeldTokensTests
{
    private static readonly Gen<int> AnyId = Gen.OneOf(Gen.Int[1, TinyTokens.Count - 1], Gen.OneOf(Ids("abc", "▁the", "in", "ll", "é!", "😀😀", "a", "b")));

    [Fact]
    public void Without_stop_strings_all_is_certain_at_once_but_parts_of_characters() => AnyId.Array[0, 12].Sample(ids =>
    {
        var certain = new List<GenerationToken>();
        var held = new HeldTokens(TinyTokens.Tokenizer, [], begun: false, certain.Add);
        for (int i = 0; i < ids.Length; i++)
        {
            Assert.False(held.Append(new GenerationToken(ids[i], "")));
            Assert.InRange(certain.Count, i, i + 1);
        }

        held.End();
        Assert.Equal(ids, certain.Ids());
        Assert.Equal(TinyTokens.Tokenizer.Decode(ids), certain.Text());
    });

    [Fact]
    public void The_text_ends_where_the_first_stop_string_that_is_complete_begins() =>
        Gen.Select(AnyId.Array[0, 12], Gen.OneOf("a", "ab", "bc", "abc", " the", "hein", "ll", "😀", "\ufffd", "e in", "zz").Array[1, 3]).Sample((ids, stops) =>
        {
            var certain = new List<GenerationToken>();
            var held = new HeldTokens(TinyTokens.Tokenizer, stops, begun: false, certain.Add);
            int read = 0;
            bool hasStopped = false;
            while (read < ids.Length && !hasStopped)
            {
                hasStopped = held.Append(new GenerationToken(ids[read++], ""));

                // Nothing is given out that may be the beginning of a stop string.
                string given = certain.Text();
                Assert.DoesNotContain(stops, s => given.Contains(s, StringComparison.Ordinal));
            }

            held.End();
            IncrementalDecoder decoder = TinyTokens.Tokenizer.NewDecoder();
            string sure = "";
            int needed = ids.TakeWhile(id => !stops.Any((sure += decoder.Append(id)).Contains)).Count();
            bool isStopped = needed < ids.Length;
            Assert.Equal(isStopped, hasStopped);
            Assert.Equal(isStopped ? needed + 1 : ids.Length, read);
            string expected = isStopped ? sure[..stops.Select(s => sure.IndexOf(s, StringComparison.Ordinal)).Where(i => i >= 0).Min()] : TinyTokens.Tokenizer.Decode(ids);
            Assert.Equal(expected, certain.Text());
            Assert.Equal(ids.Take(certain.Count), certain.Ids());
        });

    [Fact]
    public void Tokens_that_may_begin_a_stop_string_wait_and_come_when_they_do_not()
    {
        var certain = new List<GenerationToken>();
        var held = new HeldTokens(TinyTokens.Tokenizer, ["abcabx"], begun: true, certain.Add);
        foreach (int id in Ids("a", "bc", "ab"))
        {
            held.Append(new GenerationToken(id, ""));
        }

        Assert.Empty(certain);
        held.Append(new GenerationToken(Ids("c")[0], ""));
        Assert.Equal("abc", certain.Text());
        held.End();
        Assert.Equal("abcabc", certain.Text());
    }

    [Fact]
    public void The_end_turns_parts_of_a_character_into_replacements_of_the_last_token()
    {
        var certain = new List<GenerationToken>();
        var held = new HeldTokens(TinyTokens.Tokenizer, [], begun: true, certain.Add);
        int first = 3 + 0xF0, second = 3 + 0x9F;
        held.Append(new GenerationToken(first, ""));
        held.Append(new GenerationToken(second, ""));
        held.End();
        Assert.Equal([new GenerationToken(first, ""), new GenerationToken(second, "\ufffd\ufffd")], certain);
    }

    [Fact]
    public void Text_before_decides_whether_the_first_space_is_the_texts()
    {
        int[] the = Ids("▁the");
        string Of(bool begun)
        {
            var certain = new List<GenerationToken>();
            var held = new HeldTokens(TinyTokens.Tokenizer, [], begun, certain.Add);
            Array.ForEach(the, id => held.Append(new GenerationToken(id, "")));
            return certain.Text();
        }

        Assert.Equal((" the", " the"), (Of(begun: true), " " + Of(begun: false).TrimStart()));
        Assert.NotEqual(Of(true), Of(false));
    }

    private static int[] Ids(params string[] pieces) =>
        [.. pieces.Select(p => TinyTokens.Tokenizer.Model.Pieces.Select(piece => piece.Text).ToList().IndexOf(p))];
}
