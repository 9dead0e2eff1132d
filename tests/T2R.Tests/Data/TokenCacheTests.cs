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
        Load(new ListCorpus("one"), _tokenizer);
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

    private TokenStream Load(ICorpus corpus, CharTokenizer tokenizer, string hash = "hash", int beginId = Begin) =>
        TokenCache.LoadOrBuild(_folder["run/tokens.bin"], corpus, tokenizer, hash, beginId, cancellation: TestContext.Current.CancellationToken);

    private static int[] Ids(TokenStream stream) => [.. Enumerable.Range(0, (int)stream.Count).Select(i => stream[i])];
}
