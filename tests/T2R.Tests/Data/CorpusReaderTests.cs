using System.Text;
using T2R.Data;
using T2R.Tests.Checkpoints;
using Xunit;
using ZstdSharp;

namespace T2R.Tests.Data;

public sealed class CorpusReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.txt")]
    [InlineData("a.md")]
    public void A_text_file_is_one_document(string name)
    {
        Write(name, "Grüße,\nWelt 😀\n");
        Assert.Equal(["Grüße,\nWelt 😀\n"], Texts(name));
    }

    [Fact]
    public void A_byte_order_mark_is_no_text()
    {
        Write("a.txt", [0xEF, 0xBB, 0xBF, (byte)'x']);
        Write("a.jsonl", [0xEF, 0xBB, 0xBF, .. "{\"text\":\"y\"}"u8]);
        Assert.Equal(["x", "y"], Texts("a.txt", "a.jsonl"));
    }

    [Fact]
    public void Each_line_of_JSON_lines_is_a_document_and_blank_lines_and_empty_texts_are_none()
    {
        Write("a.jsonl", "{\"text\":\"one\\n\\u00e9\",\"source\":1}\r\n\n  \n{\"source\":{\"text\":\"no\"},\"text\":\"two\"}\n{\"text\":\"\"}\n{\"text\":\"three\"}");
        Assert.Equal(["one\né", "two", "three"], Texts("a.jsonl"));
        Assert.Equal([$"{_folder["a.jsonl"]}:1", $"{_folder["a.jsonl"]}:4", $"{_folder["a.jsonl"]}:6"], Open("a.jsonl").Documents().Select(d => d.Id));
    }

    [Fact]
    public void The_field_of_JSON_lines_can_be_named()
    {
        Write("a.jsonl", "{\"text\":\"no\",\"body\":\"yes\"}\n");
        Assert.Equal(["yes"], CorpusReader.Open([_folder["a.jsonl"]], field: "body").Documents().Select(d => d.Text));
    }

    [Fact]
    public void Lines_longer_than_a_buffer_are_read_whole()
    {
        string[] texts = [.. new[] { 65_535, 65_536, 1, 200_000, 7 }.Select((n, i) => new string((char)('a' + i), n))];
        Write("a.jsonl", string.Join('\n', texts.Select(t => $"{{\"text\":\"{t}\"}}")));
        Assert.Equal(texts, Texts("a.jsonl"));
    }

    [Fact]
    public void One_long_line_makes_no_long_blocks_of_the_lines_behind_it()
    {
        Write("a.jsonl", $"{{\"text\":\"{new string('a', 1_000_000)}\"}}\n" + string.Concat(Enumerable.Range(0, 300_000).Select(i => $"{{\"text\":\"{i}\"}}\n")));
        DocumentBatch[] batches = [.. Open("a.jsonl").Batches(cancellation: TestContext.Current.CancellationToken)];
        Assert.Equal(300_001, batches.Sum(b => b.Records.Count()));
        Assert.All(batches[2..], b => Assert.InRange(b.Bytes, 1, 1 << 16));
    }

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.zst")]
    [InlineData("a.txt")]
    public void Lines_that_are_passed_over_are_when_the_work_is_stopped_no_longer(string name)
    {
        string lines = string.Concat(Enumerable.Range(0, 10_000).Select(i => $"{{\"text\":\"{i}\"}}\n"));
        Write(name, name.EndsWith(".zst", StringComparison.Ordinal) ? Compressed(lines) : Encoding.UTF8.GetBytes(lines));
        Assert.ThrowsAny<OperationCanceledException>(() => Open(name).Batches(new CorpusPosition(0, 1_000_000), cancellation: new CancellationToken(canceled: true)).Count());
    }

    [Fact]
    public void Compressed_files_are_read_like_plain_ones()
    {
        string lines = string.Concat(Enumerable.Range(0, 5000).Select(i => $"{{\"text\":\"document {i}\"}}\n"));
        Write("a.jsonl", lines);
        Write("b.jsonl.zst", Compressed(lines));
        Write("c.txt.zst", Compressed("text"));
        Assert.Equal(5000, Texts("a.jsonl").Length);
        Assert.Equal(Texts("a.jsonl"), Texts("b.jsonl.zst"));
        Assert.Equal(["text"], Texts("c.txt.zst"));
    }

    [Fact]
    public void A_folder_gives_all_files_of_a_known_format_below_it_in_ordinal_order()
    {
        foreach (string name in new[] { "d/b.txt", "d/a.txt", "d/B.txt", "d/sub/z.md", "d/picture.png", "d/e.jsonl.zst", "d/ids.u16" })
        {
            Write(name, name.EndsWith("zst", StringComparison.Ordinal) ? Compressed("{\"text\":\"d/e.jsonl.zst\"}") : Encoding.UTF8.GetBytes(name));
        }

        Assert.Equal(["d/B.txt", "d/a.txt", "d/b.txt", "d/e.jsonl.zst", "d/sub/z.md"], Texts("d"));
        Assert.Equal(["d/e.jsonl.zst"], CorpusReader.Open([_folder["d"]], CorpusFormat.Jsonl).Documents().Select(d => d.Text));
    }

    [Theory]
    [InlineData("d/*.txt", "d/a.txt d/b.txt")]
    [InlineData("d/?.txt", "d/a.txt d/b.txt")]
    [InlineData("*/a.txt", "d/a.txt e/a.txt")]
    [InlineData("**/*.txt", "d/a.txt d/b.txt d/x/y/c.txt e/a.txt")]
    [InlineData("d/**/c.txt", "d/x/y/c.txt")]
    [InlineData("d/*/y/*", "d/x/y/c.txt")]
    public void A_glob_gives_the_files_that_match(string glob, string expected)
    {
        foreach (string name in new[] { "e/a.txt", "d/b.txt", "d/a.txt", "d/x/y/c.txt" })
        {
            Write(name, name);
        }

        Assert.Equal(expected.Split(' '), Texts(glob));
    }

    [Fact]
    public void Paths_keep_their_order_a_file_named_twice_is_read_once_and_an_exclamation_mark_excludes()
    {
        foreach (string name in new[] { "a.txt", "b.txt", "c.txt", "d.txt" })
        {
            Write(name, name);
        }

        Assert.Equal(["c.txt", "a.txt", "d.txt"], CorpusReader.Open([_folder["c.txt"], $"!{_folder["b*"]}", _folder["*.txt"], _folder.Path]).Documents().Select(d => d.Text));
    }

    [Fact]
    public void Progress_counts_the_bytes_of_the_files_on_disk()
    {
        Write("a.txt", "one");
        Write("b.jsonl.zst", Compressed(string.Concat(Enumerable.Range(0, 100_000).Select(i => $"{{\"text\":\"{i * 7919}\"}}\n"))));
        ICorpus corpus = Open("a.txt", "b.jsonl.zst");
        long[] read = [.. corpus.Batches(cancellation: TestContext.Current.CancellationToken).Select(b => b.SourceBytesRead)];
        Assert.Equal(3 + new FileInfo(_folder["b.jsonl.zst"]).Length, corpus.SourceBytes);
        Assert.Equal(3, read[0]);
        Assert.Equal(read.Order(), read);
        Assert.InRange(read[1], 4, corpus.SourceBytes - 1);
        Assert.Equal(corpus.SourceBytes, read[^1]);
    }

    [Fact]
    public void The_fingerprint_changes_with_the_content_the_field_and_the_format_but_not_with_the_place()
    {
        Write("a.jsonl", "{\"text\":\"one\"}");
        Write("copy/b.jsonl", "{\"text\":\"one\"}");
        Write("c.jsonl", "{\"text\":\"two\"}");
        string[] different =
        [
            Open("a.jsonl").Fingerprint(cancellation: TestContext.Current.CancellationToken),
            Open("c.jsonl").Fingerprint(cancellation: TestContext.Current.CancellationToken),
            CorpusReader.Open([_folder["a.jsonl"]], field: "body").Fingerprint(cancellation: TestContext.Current.CancellationToken),
            CorpusReader.Open([_folder["a.jsonl"]], CorpusFormat.Text).Fingerprint(cancellation: TestContext.Current.CancellationToken),
            Open("a.jsonl", "c.jsonl").Fingerprint(cancellation: TestContext.Current.CancellationToken),
            Open("c.jsonl", "a.jsonl").Fingerprint(cancellation: TestContext.Current.CancellationToken),
        ];
        Assert.Equal(different.Length, different.Distinct().Count());
        Assert.Equal(different[0], Open("copy/b.jsonl").Fingerprint(cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void All_paths_that_lead_nowhere_are_named_at_once()
    {
        Write("empty/picture.png", "");
        Write("what.bin", "x");
        Write("ids.u16", "ab");
        string[] paths = [_folder["no.txt"], _folder["no/*.txt"], _folder["empty"], _folder["what.bin"], _folder["ids.u16"], "nuget:No.Such.Package/1.2.3/*.xml", "nuget:half"];
        var error = Assert.Throws<UserErrorException>(() => CorpusReader.Open(paths));
        Assert.Equal(paths.Length, error.Problems.Count);
        Assert.All(paths, path => Assert.Single(error.Problems, p => p.StartsWith(path, StringComparison.Ordinal)));
        Assert.Contains("dotnet restore", error.Problems.Single(p => p.Contains("No.Such.Package", StringComparison.Ordinal)));
        Assert.Contains("Package.Id/version/glob", error.Problems.Single(p => p.Contains("half", StringComparison.Ordinal)));
    }

    [Fact]
    public void No_path_is_an_error_and_so_is_one_whose_files_are_all_excluded()
    {
        Write("a.txt", "x");
        Assert.Contains("names no path", Assert.Throws<UserErrorException>(() => CorpusReader.Open([])).Message);
        Assert.Contains("excluded", Assert.Throws<UserErrorException>(() => CorpusReader.Open([_folder["a.txt"], $"!{_folder["a.txt"]}"])).Message);
    }

    [Theory]
    [InlineData("{\"text\":\"fine\"}\n{\"text\":", "line 2: not valid JSON")]
    [InlineData("{\"text\":\"fine\"}\n\n[1]", "line 3: expected a JSON object with the field \"text\", found an array")]
    [InlineData("{\"body\":\"x\",\"n\":1}", "line 1: the field \"text\" is missing (found \"body\", \"n\")")]
    [InlineData("{\"text\":3}", "line 1: the field \"text\" is a number, expected a string")]
    [InlineData("{\"text\":\"\\ud800\"}", "line 1: the field \"text\" holds half of a surrogate pair")]
    public void A_damaged_line_is_named(string content, string expected)
    {
        Write("a.jsonl", content);
        Assert.Contains($"{_folder["a.jsonl"]}, {expected}", Assert.Throws<UserErrorException>(() => Texts("a.jsonl")).Message);
    }

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.txt")]
    public void A_byte_that_is_not_UTF8_is_named_with_its_line(string name)
    {
        Write(name, [.. "{\"text\":\"one\"}\n{\"text\":\"tw"u8, 0xFC, .. "o\"}\n"u8]);
        Assert.Contains($"{_folder[name]}, line 2: the byte 0xFC is not valid UTF-8", Assert.Throws<UserErrorException>(() => Texts(name)).Message);
    }

    [Fact]
    public void Damaged_compression_is_named()
    {
        byte[] whole = Compressed(string.Concat(Enumerable.Range(0, 10_000).Select(i => $"{{\"text\":\"{i}\"}}\n")));
        Write("cut.jsonl.zst", whole[..(whole.Length / 2)]);
        Write("plain.jsonl.zst", "{\"text\":\"not compressed\"}");
        Assert.Contains($"{_folder["cut.jsonl.zst"]} is cut off", Assert.Throws<UserErrorException>(() => Texts("cut.jsonl.zst")).Message);
        Assert.Contains($"{_folder["plain.jsonl.zst"]} is not valid Zstandard", Assert.Throws<UserErrorException>(() => Texts("plain.jsonl.zst")).Message);
    }

    [Fact]
    public void Real_prose_has_the_documents_it_is_known_to_have()
    {
        Document[] documents = [.. CorpusReader.Open([SharedData.Path("text/prose-valid.jsonl.zst")]).Documents()];
        Assert.Equal(91, documents.Length);
        Assert.InRange(documents.Sum(d => Encoding.UTF8.GetByteCount(d.Text)), 1_100_000, 1_300_000);
    }

    private ICorpus Open(params string[] names) => CorpusReader.Open([.. names.Select(n => _folder[n])]);

    private string[] Texts(params string[] names) => [.. Open(names).Documents().Select(d => d.Text)];

    private void Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    private void Write(string name, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        File.WriteAllBytes(_folder[name], bytes);
    }

    private static byte[] Compressed(string text)
    {
        using var compressor = new Compressor();
        return compressor.Wrap(Encoding.UTF8.GetBytes(text)).ToArray();
    }
}
