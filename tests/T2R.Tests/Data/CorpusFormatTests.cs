using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Parquet;
using Parquet.Schema;
using T2R.Data;
using T2R.Tests.Checkpoints;
using T2R.Tests.Tokenization;
using Xunit;
using ZstdSharp;

namespace T2R.Tests.Data;

/// <summary>One corpus in every format that can hold it gives one stream of tokens.</summary>
public sealed class CorpusFormatTests : IDisposable
{
    private const int Begin = 1;

    private static readonly string[] Texts =
    [
        "the bat in the hall", " a\n\n the  tall man\n", "Grüße, Welt 😀", "\"quoted\" \\ back\\slash \t tab", "the end\r\nof lines",
        .. Enumerable.Range(0, 300).Select(i => string.Concat(Enumerable.Repeat($"the hat {i} in a hall ", (i * 29 % 60) + 1))),
    ];

    private static readonly int[] Expected = Ids(new ListCorpus(Texts));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("text")]
    [InlineData("text.gz")]
    [InlineData("text.zst")]
    [InlineData("jsonl")]
    [InlineData("jsonl.gz")]
    [InlineData("jsonl.zst")]
    [InlineData("parquet")]
    [InlineData("mixed")]
    public async Task Every_format_gives_the_same_tokens(string format)
    {
        string suffix = format.Contains('.') ? format[format.IndexOf('.')..] : "";
        switch (format.Split('.')[0])
        {
            case "text":
                WriteTexts(0, Texts.Length, suffix);
                break;
            case "jsonl":
                WriteLines("all.jsonl" + suffix, Texts);
                break;
            case "parquet":
                await WriteRowsAsync("all.parquet", Texts, 7);
                break;
            default:
                WriteTexts(0, 100, "");
                WriteLines("m.jsonl.gz", Texts[100..150]);
                await WriteRowsAsync("n.parquet", Texts[150..200], 50);
                WriteLines("o.jsonl.zst", Texts[200..]);
                break;
        }

        Assert.Equal(Expected, Ids(CorpusReader.Open([_folder.Path])));
    }

    [Fact]
    public async Task The_column_of_Parquet_can_be_named_and_one_that_is_missing_or_holds_no_text_is_refused()
    {
        await WriteRowsAsync("a.parquet", Texts[..3], 2);
        Assert.Contains("the column \"body\" is missing (found \"number\", \"text\")", Fails(() => CorpusReader.Open([_folder["a.parquet"]], field: "body")));
        Assert.Contains("the column \"number\" holds Int64, expected strings", Fails(() => CorpusReader.Open([_folder["a.parquet"]], field: "number")));
    }

    [Fact]
    public async Task A_column_of_bytes_is_read_as_UTF8()
    {
        var field = new DataField<byte[]>("text");
        await using (var file = File.Create(_folder["a.parquet"]))
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(field), file, cancellationToken: TestContext.Current.CancellationToken))
        {
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            await group.WriteAsync(field, (IReadOnlyCollection<byte[]>)[.. Texts.Select(Encoding.UTF8.GetBytes)]);
        }

        Assert.Equal(Expected, Ids(CorpusReader.Open([_folder["a.parquet"]])));
    }

    [Fact]
    public void What_is_no_Parquet_is_named()
    {
        File.WriteAllText(_folder["a.parquet"], "PAR1 no, it is not");
        Assert.Contains($"{_folder["a.parquet"]}: not a whole Parquet file", Fails(() => CorpusReader.Open([_folder["a.parquet"]])));
        File.WriteAllText(_folder["b.parquet.gz"], "x");
        Assert.Contains("decompress it first", Fails(() => CorpusReader.Open([_folder["b.parquet.gz"]])));
    }

    [Fact]
    public void An_encoding_that_is_read_wrongly_is_refused()
    {
        // Two rows, written by Apache Arrow 25.
        const string FrontCoded =
            "UEFSMRUAFUgVSCwVBBUOFQYVBgAAAgAAAAQBgAEEAgAIAAAAAIABBAIOBwAAAAB0aGUgYmF0aGF0GRwWCBVqFgAAGRYcABUEGSw1ABgGc2NoZW1hFQIAFQwlAhgEdGV4dCUATBwAAAAWBBkcGRwm"
            + "ABwVDBklBg4ZGAR0ZXh0FQAWBBZqFmomCEkcFQAVDhUCADwWHBkGGSYABAAAFnIVGgAWahYEJggWagAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjUuMC4xGRwcAAAAjAAAAFBBUjE=";
        File.WriteAllBytes(_folder["a.parquet"], Convert.FromBase64String(FrontCoded));
        Assert.Contains("row group 0: the column \"text\" is encoded as DELTA_BYTE_ARRAY", Fails(() => CorpusReader.Open([_folder["a.parquet"]])));
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void Compressed_parts_one_behind_the_other_are_one_file_and_a_file_cut_anywhere_is_refused(string suffix)
    {
        byte[] part = Compressed(Encoding.UTF8.GetBytes("{\"text\":\"the bat\"}\n"), suffix), whole = [.. part, .. part];
        File.WriteAllBytes(_folder["a.jsonl" + suffix], whole);
        Assert.Equal(2, CorpusReader.Open([_folder.Path]).Documents().Count());
        for (int length = 0; length < whole.Length; length++)
        {
            if (length != part.Length)
            {
                File.WriteAllBytes(_folder["a.jsonl" + suffix], whole[..length]);
                Assert.Contains($"{_folder["a.jsonl" + suffix]} is cut off", Fails(() => CorpusReader.Open([_folder.Path])));
            }
        }
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void A_compressed_file_with_any_damage_is_read_or_refused(string suffix)
    {
        byte[] Lines(int first) => Compressed(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(first, 20).Select(i => $"{{\"text\":\"the bat {i * 7919} in the hall\"}}\n"))), suffix);
        byte[] whole = [.. Lines(0), .. Lines(20)];
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] damaged = [.. whole];
            for (int j = random.Next(1, 4); j > 0; j--)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(_folder["a.jsonl" + suffix], damaged);
            try
            {
                Assert.Equal(40, CorpusReader.Open([_folder.Path]).Documents().Count());
            }
            catch (UserErrorException e)
            {
                Assert.Contains(_folder["a.jsonl" + suffix], e.Message);
            }
        }
    }

    [Fact]
    public void A_later_gzip_member_with_a_damaged_header_is_refused_and_zeros_behind_the_last_are_padding()
    {
        byte[] one = Compressed("{\"text\":\"one\"}\n"u8.ToArray(), ".gz"), two = Compressed("{\"text\":\"two\"}\n"u8.ToArray(), ".gz");
        for (int place = 0; place < 4; place++)
        {
            foreach (byte found in (byte[])[0, (byte)(two[place] ^ 0x80)])
            {
                if (found != two[place])
                {
                    File.WriteAllBytes(_folder["a.jsonl.gz"], [.. one, .. two[..place], found, .. two[(place + 1)..]]);
                    Assert.Contains("is not valid gzip", Fails(() => CorpusReader.Open([_folder.Path])));
                }
            }
        }

        File.WriteAllBytes(_folder["a.jsonl.gz"], [.. one, .. two, .. new byte[100_000]]);
        Assert.Equal(["one", "two"], CorpusReader.Open([_folder.Path]).Documents().Select(d => d.Text));
        File.WriteAllBytes(_folder["a.jsonl.gz"], [.. one, .. two, .. new byte[100_000], 1]);
        Assert.Contains("what follows a member is none", Fails(() => CorpusReader.Open([_folder.Path])));
    }

    [Fact]
    public void A_gzip_header_may_have_every_field()
    {
        byte[] plain = Compressed("{\"text\":\"one\"}\n"u8.ToArray(), ".gz");
        byte[] header = [0x1F, 0x8B, 8, 0b11110, 1, 2, 3, 4, 0, 3, 2, 0, 7, 7, .. "name\0comment\0"u8];
        ushort checksum = (ushort)new Func<uint>(() => { var crc = new ICSharpCode.SharpZipLib.Checksum.Crc32(); crc.Update(header); return (uint)crc.Value; })();
        File.WriteAllBytes(_folder["a.jsonl.gz"], [.. header, (byte)checksum, (byte)(checksum >> 8), .. plain[10..]]);
        Assert.Equal(["one"], CorpusReader.Open([_folder.Path]).Documents().Select(d => d.Text));
        File.WriteAllBytes(_folder["a.jsonl.gz"], [.. header, (byte)~checksum, (byte)(checksum >> 8), .. plain[10..]]);
        Assert.Contains("header is damaged", Fails(() => CorpusReader.Open([_folder.Path])));
    }

    [Fact]
    public void Zstandard_with_the_longest_window_is_read()
    {
        // A frame without a content size: its window is 2 GiB (exponent 21), and its one block, the last, is raw.
        byte[] line = "{\"text\":\"one\"}\n"u8.ToArray();
        int block = 1 | (line.Length << 3);
        File.WriteAllBytes(_folder["a.jsonl.zst"], [0x28, 0xB5, 0x2F, 0xFD, 0, 21 << 3, (byte)block, (byte)(block >> 8), (byte)(block >> 16), .. line]);
        Assert.Equal(["one"], CorpusReader.Open([_folder.Path]).Documents().Select(d => d.Text));
    }

    [Fact]
    public void Reading_goes_on_behind_every_batch_as_if_it_had_not_stopped()
    {
        WriteTexts(0, 3, "");
        WriteLines("m.jsonl", [.. Texts, .. Texts, .. Texts]);
        File.WriteAllText(_folder["n.xml"], "<doc><members><member name=\"T:A\"><summary>a</summary></member><member name=\"T:B\"><summary>b</summary></member></members></doc>");
        File.WriteAllText(_folder["o.xml"], "<doc><members><member name=\"T:B\"><summary>b</summary></member><member name=\"T:C\"><summary>c</summary></member></members></doc>");
        ICorpus corpus = CorpusReader.Open([_folder.Path]);
        DocumentBatch[] batches = [.. corpus.Batches(cancellation: TestContext.Current.CancellationToken)];
        string[][] documents = [.. batches.Select(b => b.Records.Select(r => r.Document!.Text).ToArray())];
        Assert.True(batches.Length > 7);
        for (int i = 0; i < batches.Length; i++)
        {
            Assert.Equal(documents[(i + 1)..].SelectMany(d => d), corpus.Batches(batches[i].End, cancellation: TestContext.Current.CancellationToken).SelectMany(b => b.Records).Select(r => r.Document!.Text));
        }
    }

    [Fact]
    public async Task Reading_Parquet_goes_on_behind_every_batch()
    {
        await WriteRowsAsync("a.parquet", [.. Texts, .. Texts, .. Texts], 400);
        ICorpus corpus = CorpusReader.Open([_folder.Path]);
        DocumentBatch[] batches = [.. corpus.Batches(cancellation: TestContext.Current.CancellationToken)];
        Assert.True(batches.Length > 5);
        Assert.All(batches, b => Assert.Equal(
            Texts.Length * 3 - b.End.Record, corpus.Batches(b.End, cancellation: TestContext.Current.CancellationToken).SelectMany(c => c.Records).Count()));
    }

    private static int[] Ids(ICorpus corpus)
    {
        using var stream = TokenStream.Build(
            corpus, TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English)), Begin, new TokenizingOptions { Cancellation = TestContext.Current.CancellationToken });
        long[] ids = new long[stream.Count];
        stream.CopyTo(0, ids);
        return [.. ids.Select(i => (int)i)];
    }

    private static string Fails(Func<ICorpus> open) => Assert.Throws<UserErrorException>(() => open().Documents().Count()).Message;

    private void WriteTexts(int first, int end, string suffix)
    {
        for (int i = first; i < end; i++)
        {
            File.WriteAllBytes(_folder[$"f{i:D4}.{(i % 2 == 0 ? "txt" : "md")}{suffix}"], Compressed(Encoding.UTF8.GetBytes(Texts[i]), suffix));
        }
    }

    private void WriteLines(string name, IEnumerable<string> texts) => File.WriteAllBytes(
        _folder[name],
        Compressed(Encoding.UTF8.GetBytes(string.Concat(texts.Select((t, i) => JsonSerializer.Serialize(new { number = i, text = t }) + "\n"))), Path.GetExtension(name)));

    private async Task WriteRowsAsync(string name, string[] texts, int rowsPerGroup)
    {
        DataField number = new DataField<long>("number"), text = new DataField<string>("text");
        await using var file = File.Create(_folder[name]);
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(number, text), file, cancellationToken: TestContext.Current.CancellationToken);
        foreach (string[] rows in texts.Chunk(rowsPerGroup))
        {
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            await group.WriteAsync(number, (ReadOnlyMemory<long>)rows.Select((_, i) => (long)i).ToArray(), cancellationToken: TestContext.Current.CancellationToken);
            await group.WriteAsync(text, rows);
        }
    }

    private static byte[] Compressed(byte[] bytes, string suffix)
    {
        if (suffix == ".zst")
        {
            using var compressor = new Compressor();
            return compressor.Wrap(bytes).ToArray();
        }

        if (suffix != ".gz")
        {
            return bytes;
        }

        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal))
        {
            gzip.Write(bytes);
        }

        return compressed.ToArray();
    }
}
