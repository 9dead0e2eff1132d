using Microsoft.ML.Tokenizers;
using T2R.Data;
using T2R.Tests.Checkpoints;
using T2R.Tests.Tokenization;
using Xunit;

namespace T2R.Tests.Data;

public sealed class TokenStreamTests : IDisposable
{
    private const int Begin = 1;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(10)]
    [InlineData(100_000)]
    [InlineData(65_435)] // "a" is then 65 532 and "z" beyond 16 bits: the stream widens on the way
    public void Each_document_stands_after_the_beginning_id_in_order(int offset)
    {
        string[] texts = ["abc", "y", "az"];
        var tokenizer = new CharTokenizer(offset);
        TokenStream stream = Build(new ListCorpus(texts), tokenizer);
        Assert.Equal(texts.SelectMany(t => tokenizer.Ids(t).Prepend(Begin)), Ids(stream));
        Assert.Equal(Begin, stream.BeginId);
    }

    [Fact]
    public void The_number_of_threads_changes_nothing()
    {
        var corpus = new ListCorpus([.. Enumerable.Range(0, 800).Select(i => string.Concat(Enumerable.Repeat($"the bat in a hall {i} ", (i * 37 % 900) + 1)))]);
        var tokenizer = TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English));
        int[] one = Ids(Build(corpus, tokenizer, threads: 1));
        Assert.True(one.Length > 1_000_000);
        Assert.Equal(800, one.Count(id => id == Begin));
        Assert.Equal(one, Ids(Build(corpus, tokenizer, threads: 2)));
        Assert.Equal(one, Ids(Build(corpus, tokenizer, threads: 7)));
    }

    [Fact]
    public void Progress_ends_at_the_total()
    {
        var reports = new List<StageProgress>();
        var corpus = new ListCorpus([.. Enumerable.Range(0, 6).Select(i => new string('x', 3_000_000))]);
        Build(corpus, new CharTokenizer(), new Reports(reports));
        Assert.True(reports.Count > 1);
        Assert.Equal(new StageProgress("tokenizing", corpus.SourceBytes, corpus.SourceBytes, "bytes"), reports[^1]);
    }

    [Fact]
    public void Tokenizing_can_be_stopped()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => TokenStream.Build(new ListCorpus("a"), new CharTokenizer(), Begin, new TokenizingOptions { Cancellation = source.Token }));
    }

    [Fact]
    public void A_corpus_without_documents_is_refused() =>
        Assert.Contains("no document", Assert.Throws<UserErrorException>(() => Build(new ListCorpus(), new CharTokenizer())).Message);

    [Fact]
    public void A_file_of_ids_is_read_as_it_is()
    {
        File.WriteAllBytes(_folder["ids.u16"], [1, 0, 0xFF, 0xFF, 0x34, 0x12]);
        Assert.Equal([1, 65535, 0x1234], Ids(TokenStream.FromFile(_folder["ids.u16"], Begin)));
    }

    [Fact]
    public void A_file_that_holds_no_ids_is_refused()
    {
        File.WriteAllBytes(_folder["odd.u16"], [1, 0, 2]);
        File.WriteAllBytes(_folder["empty.u16"], []);
        Assert.Contains($"{_folder["odd.u16"]} holds 3 bytes", Fails("odd.u16"));
        Assert.Contains($"{_folder["empty.u16"]} holds 0 bytes", Fails("empty.u16"));
        Assert.Contains(_folder["none.u16"], Fails("none.u16"));
    }

    [Fact]
    public void The_real_validation_stream_begins_each_of_its_documents()
    {
        TokenStream stream = TokenStream.FromFile(SharedData.Path("lab/valid.u16"), Begin);
        Assert.Equal(312_115, stream.Count);
        Assert.Equal(Begin, stream[0]);
        Assert.Equal(91, Ids(stream).Count(id => id == Begin));
    }

    private static TokenStream Build(ICorpus corpus, Tokenizer tokenizer, IProgress<StageProgress>? progress = null, int? threads = null) =>
        TokenStream.Build(corpus, tokenizer, Begin, new TokenizingOptions { Progress = progress, Threads = threads, Cancellation = TestContext.Current.CancellationToken });

    private static int[] Ids(TokenStream stream)
    {
        long[] ids = new long[stream.Count];
        stream.CopyTo(0, ids);
        return [.. ids.Select(i => (int)i)];
    }

    private string Fails(string name) => Assert.Throws<UserErrorException>(() => TokenStream.FromFile(_folder[name], Begin)).Message;

    private sealed class Reports(List<StageProgress> reports) : IProgress<StageProgress>
    {
        public void Report(StageProgress value) => reports.Add(value);
    }
}
