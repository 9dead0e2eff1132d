using T2R.Data;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Data;

public sealed class DamagedRecordTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public DamagedRecordTests()
    {
        File.WriteAllText(_folder["a.jsonl"], "{\"text\":\"one\"}\n{\"text\":\n{\"text\":\"two\"}\n{\"body\":\"no\"}\n");
        File.WriteAllBytes(_folder["b.txt"], [(byte)'x', 0xFF]);
        File.WriteAllText(_folder["c.txt"], "three");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void As_many_as_the_limit_are_passed_over_and_each_is_named()
    {
        var warnings = new List<string>();
        using TokenStream stream = Build(3, warnings.Add);
        Assert.Equal("onetwothree".Length + 3, stream.Count);
        Assert.Equal(3, warnings.Count);
        Assert.Contains($"Damaged record 1 of 3 that may be passed over: {_folder["a.jsonl"]}, line 2: not valid JSON", warnings[0]);
        Assert.Contains($"Damaged record 2 of 3 that may be passed over: {_folder["a.jsonl"]}, line 4: the field \"text\" is missing", warnings[1]);
        Assert.Contains($"Damaged record 3 of 3 that may be passed over: {_folder["b.txt"]}, line 1: the byte 0xFF", warnings[2]);
    }

    [Fact]
    public void One_more_than_the_limit_is_an_error_and_by_default_the_first()
    {
        Assert.Contains($"{_folder["a.jsonl"]}, line 2", Fails(0));
        string message = Fails(2);
        Assert.Contains($"{_folder["b.txt"]}, line 1", message);
        Assert.Contains("damaged record 3, and 2 may be passed over", message);
    }

    [Fact]
    public void A_file_made_with_a_higher_limit_serves_only_where_its_damage_may_be_passed_over()
    {
        Open(3, _ => { }).Dispose();
        var warnings = new List<string>();
        Open(5, warnings.Add).Dispose();
        Assert.Contains("without its damaged records (3)", Assert.Single(warnings));
        Assert.Contains("line 2", Assert.Throws<UserErrorException>(() => Open(0, _ => { })).Message);
        Open(3, _ => { }).Dispose();
    }

    [Fact]
    public async Task A_row_without_text_and_a_row_group_that_cannot_be_read_are_named()
    {
        var text = new Parquet.Schema.DataField<string>("text");
        string path = _folder["rows.parquet"];
        await using (var file = File.Create(path))
        await using (var writer = await Parquet.ParquetWriter.CreateAsync(new Parquet.Schema.ParquetSchema(text), file, cancellationToken: TestContext.Current.CancellationToken))
        {
            foreach (string?[] rows in (string?[][])[["one", null], ["two", "three"], ["four", "five"]])
            {
                using Parquet.ParquetRowGroupWriter group = writer.CreateRowGroup();
                await group.WriteAsync(text, rows);
            }
        }

        long place;
        await using (var reader = await Parquet.ParquetReader.CreateAsync(path, cancellationToken: TestContext.Current.CancellationToken))
        {
            place = reader.OpenRowGroupReader(1).GetMetadata(reader.Schema.DataFields[0])!.MetaData!.DataPageOffset;
        }

        byte[] bytes = File.ReadAllBytes(path);
        bytes.AsSpan((int)place, 8).Fill(0xFF);
        File.WriteAllBytes(path, bytes);
        var warnings = new List<string>();
        var options = new TokenizingOptions { DamagedLimit = 2, Warn = warnings.Add, Cancellation = TestContext.Current.CancellationToken };
        using TokenStream stream = TokenStream.Build(CorpusReader.Open([path]), new CharTokenizer(), 1, options);
        Assert.Equal("onefourfive".Length + 3, stream.Count);
        Assert.Equal(2, warnings.Count);
        Assert.Contains($"{path}, row 2: the column \"text\" is null", warnings[0]);
        Assert.Contains($"{path}, row group 1 (rows 3 to 4): the column \"text\" cannot be read", warnings[1]);
    }

    [Fact]
    public async Task A_row_of_bytes_that_is_no_text_is_damaged_alone()
    {
        byte[] rows = await RowsAsync(new Parquet.Schema.DataField<byte[]>("text", nullable: false), [.. new byte[][] { [(byte)'a'], [(byte)'b', 0xFF], [(byte)'c'] }.Select(b => (ReadOnlyMemory<byte>)b)]);
        File.WriteAllBytes(_folder["rows.parquet"], rows);
        CorpusRecord[] records = [.. CorpusReader.Open([_folder["rows.parquet"]]).Batches(cancellation: TestContext.Current.CancellationToken).SelectMany(b => b.Records)];
        Assert.Equal(["a", null, "c"], records.Select(r => r.Document?.Text));
        Assert.Contains($"{_folder["rows.parquet"]}, row 2: the column \"text\" is not valid UTF-8: byte 1 is 0xFF", records[1].Damage!.Message);
    }

    [Fact]
    public async Task A_disk_that_fails_under_Parquet_is_no_damaged_record()
    {
        byte[] rows = await RowsAsync(new Parquet.Schema.DataField<byte[]>("text", nullable: false), [.. Enumerable.Repeat((ReadOnlyMemory<byte>)new byte[] { 97 }, 3)]);
        for (int reads = 0, last = Reads(int.MaxValue); reads < last; reads++)
        {
            Assert.Equal("the disk fails", Assert.Throws<IOException>(() => Reads(reads)).Message);
        }

        int Reads(int failing)
        {
            using var file = new FailingStream(rows, failing);
            Assert.Equal(3, ParquetRows.Batches(file, "rows.parquet", "text", 0).Sum(b => b.Records.Count(r => r.Damage is null)));
            return file.Reads;
        }
    }

    [Theory]
    [InlineData(Parquet.CompressionMethod.None)]
    [InlineData(Parquet.CompressionMethod.Zstd)]
    [InlineData(Parquet.CompressionMethod.Snappy)]
    public async Task Parquet_with_damaged_pages_or_cut_anywhere_is_read_or_refused(Parquet.CompressionMethod compression)
    {
        var text = new Parquet.Schema.DataField<string>("text");
        using var file = new MemoryStream();
        var options = new Parquet.ParquetOptions { CompressionMethod = compression };
        await using (var writer = await Parquet.ParquetWriter.CreateAsync(new Parquet.Schema.ParquetSchema(text), file, options, cancellationToken: TestContext.Current.CancellationToken))
        {
            for (int i = 0; i < 3; i++)
            {
                using Parquet.ParquetRowGroupWriter group = writer.CreateRowGroup();
                await group.WriteAsync(text, (string?[])[$"one {i}", null, "one", "two three"]);
            }
        }

        byte[] whole = file.ToArray();
        int pages = whole.Length - 8 - BitConverter.ToInt32(whole, whole.Length - 8);
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] damaged = [.. whole];
            for (int j = random.Next(1, 4); j > 0; j--)
            {
                damaged[random.Next(pages)] = (byte)random.Next(256);
            }

            string path = _folder["damaged.parquet"];
            File.WriteAllBytes(path, i < whole.Length ? whole.AsSpan(0, i) : damaged);
            try
            {
                _ = CorpusReader.Open([path]).Batches(cancellation: TestContext.Current.CancellationToken).SelectMany(b => b.Records).Count();
            }
            catch (UserErrorException e)
            {
                Assert.Contains(path, e.Message);
            }
        }
    }

    private static async Task<byte[]> RowsAsync(Parquet.Schema.DataField<byte[]> field, ReadOnlyMemory<byte>[] rows)
    {
        using var file = new MemoryStream();
        await using (var writer = await Parquet.ParquetWriter.CreateAsync(new Parquet.Schema.ParquetSchema(field), file, cancellationToken: TestContext.Current.CancellationToken))
        {
            using Parquet.ParquetRowGroupWriter group = writer.CreateRowGroup();
            await group.WriteAsync(field, (ReadOnlyMemory<ReadOnlyMemory<byte>>)rows, cancellationToken: TestContext.Current.CancellationToken);
        }

        return file.ToArray();
    }

    private TokenStream Open(long limit, Action<string> warn)
    {
        var options = new TokenizingOptions { DamagedLimit = limit, Warn = warn, Cancellation = TestContext.Current.CancellationToken };
        var stream = TokenCache.Open(_folder["run/tokens.ids"], CorpusReader.Open([_folder["*"]]), new CharTokenizer(), "hash", 1, options);
        TokenCache.Keep(_folder["run/tokens.ids"]);
        return stream;
    }

    private TokenStream Build(long limit, Action<string>? warn = null) => TokenStream.Build(
        CorpusReader.Open([_folder.Path]), new CharTokenizer(), 1, new TokenizingOptions { DamagedLimit = limit, Warn = warn, Cancellation = TestContext.Current.CancellationToken });

    private string Fails(long limit) => Assert.Throws<UserErrorException>(() => Build(limit)).Message;

    /// <summary>A file on a disk that fails behind so many readings, as the system says it.</summary>
    private sealed class FailingStream(byte[] bytes, int failing) : MemoryStream(bytes)
    {
        private const int InputOutputError = 5;

        public int Reads { get; private set; }

        public override int Read(byte[] buffer, int offset, int count) => Counted(() => base.Read(buffer, offset, count));

        public override int Read(Span<byte> buffer)
        {
            Counted(() => 0);
            return base.Read(buffer);
        }

        public override int ReadByte() => Counted(base.ReadByte);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        private int Counted(Func<int> read) => Reads++ < failing ? read() : throw new IOException("the disk fails", InputOutputError);
    }
}
