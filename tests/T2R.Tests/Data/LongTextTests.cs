using System.Text;
using T2R.Data;
using T2R.Tests.Checkpoints;
using T2R.Tests.Tokenization;
using T2R.Tokenization;
using Xunit;
using ZstdSharp;

namespace T2R.Tests.Data;

/// <summary>A text that is read in parts is the document that it is when it is read whole.</summary>
public sealed class LongTextTests : IDisposable
{
    private const int Begin = 1;

    // With characters of every length in UTF-8, so that pieces of bytes end inside some.
    private static readonly string Text = string.Concat(Enumerable.Range(0, 150_000).Select(i => i % 7 == 0 ? $"Grüße {i} 😀\n" : $"the tall bat {i} in a hall 漢字. "));

    private static readonly SentencePieceTokenizer Tokenizer = TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("b.txt")]
    [InlineData("b.md.zst")]
    public void It_gives_the_tokens_of_the_whole_between_its_neighbours(string name)
    {
        Write(name, "\uFEFF" + Text);
        File.WriteAllText(_folder["a.txt"], "the hat");
        File.WriteAllText(_folder["c.txt"], "in");
        ICorpus corpus = CorpusReader.Open([_folder.Path]);
        Assert.True(corpus.Batches(default, new PartEncoder(Tokenizer.Model).LastCut, TestContext.Current.CancellationToken).Count() > 50);
        Assert.Equal(Ids(new ListCorpus("the hat", Text, "in")), Ids(corpus));
    }

    [Fact]
    public void Prose_gives_the_ids_of_Mistrals_tokenizer()
    {
        var tokenizer = TokenizerFolder.Open(SharedData.Path("mistral-tokenizer"));
        string prose = string.Concat(CorpusReader.Open([SharedData.Path("text/prose-valid.jsonl.zst")]).Documents().Select(d => d.Text));
        string text = string.Join("\r\n\r\n", Enumerable.Repeat(prose, 4));
        Write("b.txt", text);
        List<int> expected = [Begin];
        tokenizer.AppendIds(text, expected);
        Assert.Equal(expected, Ids(CorpusReader.Open([_folder.Path]), tokenizer: tokenizer));
    }

    [Fact]
    public void Reading_goes_on_behind_every_part()
    {
        Write("b.txt", Text);
        ICorpus corpus = CorpusReader.Open([_folder.Path]);
        TextCut cut = new PartEncoder(Tokenizer.Model).LastCut;
        DocumentBatch[] batches = [.. corpus.Batches(default, cut, TestContext.Current.CancellationToken)];
        for (int i = 0; i < batches.Length; i += 7)
        {
            CorpusRecord[] rest = [.. corpus.Batches(batches[i].End, cut, TestContext.Current.CancellationToken).SelectMany(b => b.Records)];
            Assert.Equal(string.Concat(batches[(i + 1)..].SelectMany(b => b.Records).Select(r => r.Document!.Text)), string.Concat(rest.Select(r => r.Document!.Text)));
            Assert.All(rest, r => Assert.False(r.Document!.Part!.IsFirst));
        }
    }

    [Fact]
    public void All_its_parts_are_held_out_or_none_as_the_whole_would_be()
    {
        for (int i = 0; i < 4; i++)
        {
            string text = $"{i} {Text}";
            Write("b.txt", text);
            var (whole, parts) = (HeldOutSplit.Of(new ListCorpus(text), 0.5), HeldOutSplit.Of(CorpusReader.Open([_folder.Path]), 0.5));
            bool isHeldOut = whole.Validation.Documents().Any();
            TextCut cut = new PartEncoder(Tokenizer.Model).LastCut;
            Assert.Equal(isHeldOut ? 0 : text.Length, Length(parts.Train));
            Assert.Equal(isHeldOut ? text.Length : 0, Length(parts.Validation));

            int Length(ICorpus corpus) => corpus.Batches(default, cut, TestContext.Current.CancellationToken).SelectMany(b => b.Records).Sum(r => r.Document!.Text.Length);
        }
    }

    [Fact]
    public void A_byte_that_is_not_UTF8_makes_all_of_it_damaged()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Text);
        int line = 1 + bytes.AsSpan(0, bytes.Length - 10).Count((byte)'\n');
        bytes[^10] = 0xFF;
        File.WriteAllBytes(_folder["b.txt"], bytes);
        File.WriteAllText(_folder["c.txt"], "in");
        ICorpus corpus = CorpusReader.Open([_folder.Path]);
        Assert.Contains($"b.txt, line {line}: the byte 0xFF is not valid UTF-8", Assert.Throws<UserErrorException>(() => Ids(corpus)).Message);
        Assert.Equal(Ids(new ListCorpus("in")), Ids(corpus, damagedLimit: 1));
    }

    [Fact]
    public void A_text_that_can_be_cut_nowhere_is_read_whole_and_a_blank_one_is_none()
    {
        string run = new('x', 5_000_000);
        Write("b.txt", run);
        Write("c.txt", new string(' ', 5_000_000));
        Assert.Equal(Ids(new ListCorpus(run)), Ids(CorpusReader.Open([_folder.Path])));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1_000_000)]
    public void Its_scan_and_what_is_passed_over_end_when_the_work_is_stopped(long from)
    {
        Write("a.txt", Text);
        using var source = new CancellationTokenSource();
        IEnumerable<FileBatch> parts = new LongText(_folder["a.txt"], _ => 1, source.Token).Batches(from);
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => parts.Count());
        Assert.ThrowsAny<OperationCanceledException>(() => new LongText(_folder["a.txt"], _ => 1, source.Token).Batches(from));
    }

    private static int[] Ids(ICorpus corpus, long damagedLimit = 0, TextTokenizer? tokenizer = null)
    {
        using var stream = TokenStream.Build(corpus, tokenizer ?? Tokenizer, Begin, new TokenizingOptions { DamagedLimit = damagedLimit, Cancellation = TestContext.Current.CancellationToken });
        long[] ids = new long[stream.Count];
        stream.CopyTo(0, ids);
        return [.. ids.Select(i => (int)i)];
    }

    private void Write(string name, string text)
    {
        using var compressor = new Compressor();
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        File.WriteAllBytes(_folder[name], name.EndsWith(".zst", StringComparison.Ordinal) ? compressor.Wrap(bytes).ToArray() : bytes);
    }
}
