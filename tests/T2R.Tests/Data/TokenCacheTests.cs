using T2R.Data;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Data;

public sealed class TokenCacheTests : IDisposable
{
    private const int Begin = 1;
    private readonly TemporaryFolder _folder = new();
    private readonly CharTokenizer _tokenizer = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(10)]
    [InlineData(100_000)]
    public void The_second_time_nothing_is_tokenized(int offset)
    {
        var tokenizer = new CharTokenizer(offset);
        var corpus = new ListCorpus("one", "two", "three");
        int[] built = Ids(Load(corpus, tokenizer));
        Assert.Equal(3, tokenizer.TextsEncoded);
        Assert.Equal(built, Ids(Load(corpus, tokenizer)));
        Assert.Equal(3, tokenizer.TextsEncoded);
        Assert.Equal(["tokens.bin"], new DirectoryInfo(_folder["run"]).EnumerateFileSystemInfos().Select(f => f.Name));
    }

    [Fact]
    public void Another_corpus_tokenizer_or_beginning_id_is_tokenized_anew()
    {
        Load(new ListCorpus("one"), _tokenizer).Dispose();
        Assert.Equal([Begin, .. _tokenizer.Ids("two")], Ids(Load(new ListCorpus("two"), _tokenizer)));
        Assert.Equal([Begin, .. _tokenizer.Ids("one")], Ids(Load(new ListCorpus("one"), _tokenizer)));
        var other = new CharTokenizer(20);
        Assert.Equal([Begin, .. other.Ids("one")], Ids(Load(new ListCorpus("one"), other, "other")));
        Assert.Equal([5, .. other.Ids("one")], Ids(Load(new ListCorpus("one"), other, "other", beginId: 5)));
    }

    [Fact]
    public void A_file_cut_at_any_byte_is_made_again()
    {
        var corpus = new ListCorpus("one", "two");
        int[] built = Ids(Load(corpus, _tokenizer));
        byte[] whole = File.ReadAllBytes(_folder["run/tokens.bin"]);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(_folder["run/tokens.bin"], whole[..length]);
            Assert.Equal(built, Ids(Load(corpus, _tokenizer)));
            Assert.Equal(whole, File.ReadAllBytes(_folder["run/tokens.bin"]));
        }
    }

    [Theory]
    [InlineData(10)]
    [InlineData(60_000)] // some ids of the last texts take more than 16 bits
    public void After_a_stop_the_work_goes_on_behind_what_was_done_and_ends_with_the_same_bytes(int offset)
    {
        string[] texts = [.. Enumerable.Range(0, 200).Select(i => new string((char)('a' + i), 100 + i) + (i > 150 ? "\uFF00" : ""))];
        var tokenizer = new CharTokenizer(offset);
        Load(new ListCorpus(texts), tokenizer).Dispose();
        byte[] whole = File.ReadAllBytes(_folder["run/tokens.bin"]);
        File.Delete(_folder["run/tokens.bin"]);
        foreach (int stop in (int[])[1, 100, 180])
        {
            using var source = new CancellationTokenSource();
            var stopping = new TokenizingOptions { Threads = 1, Progress = new Stop(stop * 100, source), Cancellation = source.Token };
            Assert.ThrowsAny<OperationCanceledException>(() => TokenCache.Open(_folder["run/tokens.bin"], new ListCorpus(texts), tokenizer, "hash", Begin, stopping));
            Assert.False(File.Exists(_folder["run/tokens.bin"]));
        }

        var rest = new ListCorpus(texts);
        Load(rest, tokenizer).Dispose();
        Assert.InRange(rest.BatchesRead, 1, 100);
        Assert.Equal(whole, File.ReadAllBytes(_folder["run/tokens.bin"]));
        Assert.Equal(["tokens.bin"], new DirectoryInfo(_folder["run"]).EnumerateFileSystemInfos().Select(f => f.Name));
    }

    [Fact]
    public void What_was_done_of_another_text_is_not_gone_on_with()
    {
        using var source = new CancellationTokenSource();
        var stopping = new TokenizingOptions { Threads = 1, Progress = new Stop(1, source), Cancellation = source.Token };
        ListCorpus Corpus(char first) => new([.. Enumerable.Range(0, 50).Select(i => $"{first}{i}")]);
        Assert.ThrowsAny<OperationCanceledException>(() => TokenCache.Open(_folder["run/tokens.bin"], Corpus('a'), _tokenizer, "hash", Begin, stopping));
        Assert.Equal([.. Enumerable.Range(0, 50).SelectMany(i => _tokenizer.Ids($"b{i}").Prepend(Begin))], Ids(Load(Corpus('b'), _tokenizer)));
    }

    [Fact]
    public void What_another_text_wrote_before_it_failed_is_not_taken_for_what_was_done()
    {
        using var source = new CancellationTokenSource();
        var stopping = new TokenizingOptions { Threads = 1, Progress = new Stop(1, source), Cancellation = source.Token };
        string[] texts = [.. Enumerable.Range(0, 50).Select(i => $"a{i}")];
        Assert.ThrowsAny<OperationCanceledException>(() => TokenCache.Open(_folder["run/tokens.bin"], new ListCorpus(texts), _tokenizer, "hash", Begin, stopping));
        var failing = new Failing(new ListCorpus([new string('b', 700_000), .. Enumerable.Repeat("b", 50)]));
        var options = new TokenizingOptions { Threads = 1, Cancellation = TestContext.Current.CancellationToken };
        Assert.Equal("the disk fails", Assert.Throws<IOException>(() => TokenCache.Open(_folder["run/tokens.bin"], failing, _tokenizer, "hash", Begin, options)).Message);
        Assert.Equal([.. texts.SelectMany(t => _tokenizer.Ids(t).Prepend(Begin))], Ids(Load(new ListCorpus(texts), _tokenizer)));
    }

    [Fact]
    public void A_part_cut_at_any_byte_is_gone_on_with_or_begun_anew()
    {
        string[] texts = [.. Enumerable.Range(0, 40).Select(i => $"text {i}")];
        int[] built = Ids(Load(new ListCorpus(texts), _tokenizer));
        File.Delete(_folder["run/tokens.bin"]);
        using var source = new CancellationTokenSource();
        var stopping = new TokenizingOptions { Threads = 1, Progress = new Stop(100, source), Cancellation = source.Token };
        Assert.ThrowsAny<OperationCanceledException>(() => TokenCache.Open(_folder["run/tokens.bin"], new ListCorpus(texts), _tokenizer, "hash", Begin, stopping));
        byte[] part = File.ReadAllBytes(_folder["run/tokens.bin.part"]);
        for (int length = 0; length <= part.Length; length++)
        {
            File.WriteAllBytes(_folder["run/tokens.bin.part"], part[..length]);
            Assert.Equal(built, Ids(Load(new ListCorpus(texts), _tokenizer)));
            File.Delete(_folder["run/tokens.bin"]);
        }

        // Killed behind the ids of a part, before the header told of them.
        File.WriteAllBytes(_folder["run/tokens.bin.part"], [.. part, .. Enumerable.Repeat((byte)7, 5000)]);
        Assert.Equal(built, Ids(Load(new ListCorpus(texts), _tokenizer)));
    }

    [Fact]
    public void A_corpus_of_which_nothing_can_be_made_leaves_nothing()
    {
        Assert.Contains("no document", Assert.Throws<UserErrorException>(() => Load(new ListCorpus(), _tokenizer)).Message);
        File.WriteAllText(_folder["a.jsonl"], "no JSON");
        Assert.Contains("a.jsonl, line 1", Assert.Throws<UserErrorException>(() => Load(CorpusReader.Open([_folder["a.jsonl"]]), _tokenizer)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder["run"]));
    }

    [Fact]
    public void A_text_that_changes_between_its_hash_and_its_reading_is_refused()
    {
        File.WriteAllText(_folder["a.txt"], "one");
        ICorpus corpus = CorpusReader.Open([_folder["a.txt"]]);
        _ = corpus.Fingerprint(cancellation: TestContext.Current.CancellationToken);
        File.AppendAllText(_folder["a.txt"], " and more");
        Assert.Contains("a.txt was changed while it was read", Assert.ThrowsAny<IOException>(() => Load(corpus, _tokenizer)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder["run"]));
    }

    [Fact]
    public void A_file_that_is_cut_off_while_it_is_read_is_an_error()
    {
        using TokenStream stream = Load(new ListCorpus("one", "two"), _tokenizer);
        using (var file = File.Open(_folder["run/tokens.bin"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.SetLength(130);
        }

        Assert.Contains("was cut off while it was in use", Assert.Throws<IOException>(() => stream[3]).Message);
    }

    [Fact]
    public void What_is_not_kept_leaves_what_was_there()
    {
        Load(new ListCorpus("one"), _tokenizer).Dispose();
        byte[] before = File.ReadAllBytes(_folder["run/tokens.bin"]);
        var options = new TokenizingOptions { Cancellation = TestContext.Current.CancellationToken };
        TokenCache.Open(_folder["run/tokens.bin"], new ListCorpus("two"), _tokenizer, "hash", Begin, options).Dispose();
        Assert.Equal(before, File.ReadAllBytes(_folder["run/tokens.bin"]));
        TokenCache.Discard(_folder["run/tokens.bin"]);
        Assert.Equal(["tokens.bin"], new DirectoryInfo(_folder["run"]).EnumerateFileSystemInfos().Select(f => f.Name));
    }

    private TokenStream Load(ICorpus corpus, CharTokenizer tokenizer, string hash = "hash", int beginId = Begin)
    {
        var stream = TokenCache.Open(_folder["run/tokens.bin"], corpus, tokenizer, hash, beginId, new TokenizingOptions { Cancellation = TestContext.Current.CancellationToken });
        TokenCache.Keep(_folder["run/tokens.bin"]);
        return stream;
    }

    private static int[] Ids(TokenStream stream)
    {
        using (stream)
        {
            return [.. Enumerable.Range(0, (int)stream.Count).Select(i => stream[i])];
        }
    }

    /// <summary>A corpus whose disk fails behind its last document.</summary>
    private sealed class Failing(ListCorpus corpus) : ICorpus
    {
        public string Name => corpus.Name;

        public long SourceBytes => corpus.SourceBytes;

        public string Fingerprint(IProgress<StageProgress>? progress = null, CancellationToken cancellation = default) => corpus.Fingerprint(progress, cancellation);

        public IEnumerable<DocumentBatch> Batches(CorpusPosition from = default, TextCut? cut = null, CancellationToken cancellation = default)
        {
            foreach (DocumentBatch batch in corpus.Batches(from, cut, cancellation))
            {
                yield return batch;
            }

            throw new IOException("the disk fails");
        }
    }

    /// <summary>Stops the work once so many bytes of the text are done.</summary>
    private sealed class Stop(long bytes, CancellationTokenSource source) : IProgress<StageProgress>
    {
        public void Report(StageProgress value)
        {
            if (value.Done >= bytes)
            {
                source.Cancel();
            }
        }
    }
}
