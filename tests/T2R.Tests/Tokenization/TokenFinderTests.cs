using CsCheck;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

public sealed class TokenFinderTests
{
    private static readonly Gen<string> Texts = Gen.OneOf("<", "a", "ab", "<a", "b>", "é", "😀", "\ud83d").Array[1, 6].Select(string.Concat);

    [Fact]
    public void The_leftmost_is_found_and_of_those_the_longest() => Gen.Select(Texts.Array[1, 8], Texts.Array[0, 12].Select(string.Concat)).Sample(
        (tokens, text) =>
        {
            var all = tokens.Distinct().Select((t, i) => KeyValuePair.Create(t, i)).ToArray();
            var finder = new TokenFinder(all);
            for (int start = 0; start <= text.Length; start++)
            {
                var found = all.Select(t => (At: text.IndexOf(t.Key, start, StringComparison.Ordinal), t.Key.Length, Id: t.Value)).Where(f => f.At >= 0).OrderBy(f => f.At).ThenByDescending(f => f.Length).ToArray();
                int? id = finder.Find(text, start, out int at, out int length);
                Assert.Equal(found is [var first, ..] ? (first.At, first.Length, (int?)first.Id) : (text.Length, 0, null), (at, length, id));
            }
        },
        iter: 2000);
}
