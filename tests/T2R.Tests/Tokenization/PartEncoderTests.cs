using CsCheck;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

public class PartEncoderTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Parts_give_the_ids_of_the_whole(bool prefix)
    {
        SentencePieceModel model = TinyModels.Of(TinyModels.Ranked(TinyModels.English), normalizer: TinyModels.Identity with { AddDummyPrefix = prefix });
        var (tokenizer, parts) = (new SentencePieceTokenizer(model), new PartEncoder(model));
        string[] atoms = [.. TinyModels.Atoms.Where(a => !a.Any(char.IsSurrogate) || a.Length > 1)];
        Gen.Select(Gen.Int[0, atoms.Length - 1].Array[1, 60], Gen.Int[1, 20]).Sample((chosen, length) =>
        {
            string text = string.Concat(chosen.Select(i => atoms[i]));
            List<int> whole = [], together = [];
            tokenizer.AppendIds(text, whole);
            int begin = 0;
            for (int end = length; end < text.Length; end += length)
            {
                int cut = parts.LastCut(text.AsSpan(begin, end - begin));
                Assert.InRange(cut, 0, end - begin - 1);
                if (cut > 0)
                {
                    parts.AppendIds(text.AsSpan(begin, cut), begin == 0, together);
                    begin += cut;
                }
            }

            parts.AppendIds(text.AsSpan(begin), begin == 0, together);
            Assert.Equal(whole, together);
        });
    }

    [Fact]
    public void A_model_whose_ids_depend_on_the_whole_is_not_suited()
    {
        Assert.True(PartEncoder.Suited(TinyModels.Of(TinyModels.Ranked(TinyModels.English))));
        Assert.False(PartEncoder.Suited(TinyModels.Of(TinyModels.Ranked(TinyModels.English), TinyModels.Bpe with { ByteFallback = false })));
        Assert.False(PartEncoder.Suited(TinyModels.Of(TinyModels.Ranked(TinyModels.English), TinyModels.Bpe with { TreatWhitespaceAsSuffix = true })));
        Assert.False(PartEncoder.Suited(TinyModels.Of(TinyModels.Ranked(TinyModels.English), normalizer: TinyModels.Identity with { RemoveExtraWhitespaces = true })));
        Assert.False(PartEncoder.Suited(TinyModels.Of([.. TinyModels.Ranked(TinyModels.English), new SentencePiece("<u>", 0, SentencePieceType.UserDefined)])));
        Assert.False(PartEncoder.Suited(TinyModels.Of([.. TinyModels.Ranked(TinyModels.English), new SentencePiece("zz", -9, SentencePieceType.Unused)])));
    }
}
