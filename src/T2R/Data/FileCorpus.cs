using System.Security.Cryptography;
using System.Text;

namespace T2R.Data;

/// <summary>A corpus that lies in files.</summary>
internal sealed class FileCorpus(string name, IReadOnlyList<CorpusFile> files) : ICorpus
{
    // Raise it when a reader starts to yield other documents from the same bytes: token files made before are then made again.
    private const string ReadersVersion = "t2r-readers-2";

    private readonly (long Bytes, DateTime Written)[] _hashed = new (long, DateTime)[files.Count];
    private string? _fingerprint;

    public string Name => name;

    public long SourceBytes { get; } = files.Sum(f => f.Bytes);

    public string Fingerprint(IProgress<StageProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (_fingerprint is null)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData(Encoding.UTF8.GetBytes($"{ReadersVersion}\n"));
            long done = 0;
            foreach ((int i, CorpusFile file) in files.Index())
            {
                _hashed[i] = Stamp(file);
                hash.AppendData(FileHash.Of(file.Path, read => progress?.Report(new StageProgress("hashing the text", done += read, SourceBytes, "bytes")), cancellation));
                hash.AppendData(Encoding.UTF8.GetBytes($"{file.Format}\n{Compression.Of(file.Path).Name}\n{file.Field}\n"));
            }

            _fingerprint = Convert.ToHexStringLower(hash.GetHashAndReset());
        }

        return _fingerprint;
    }

    public IEnumerable<DocumentBatch> Batches(CorpusPosition from = default, TextCut? cut = null, CancellationToken cancellation = default)
    {
        // Reference packs repeat each other's files and types; a text seen once teaches nothing the second time.
        var seen = new HashSet<TextHash>();
        var seenFiles = new HashSet<string>();
        long before = 0;
        for (int i = 0; i < files.Count; i++)
        {
            CorpusFile file = files[i];
            var (start, path) = (i == from.File ? from.Record : 0, file.Path);
            bool isBehind = i < from.File;
            IEnumerable<FileBatch> batches = file.Format switch
            {
                CorpusFormat.Xmldoc when seenFiles.Add(Convert.ToHexString(FileHash.Of(path, cancellation: cancellation))) => OnceEach(Reading(path, stream => XmlBatches(stream, path), cancellation), seen),
                CorpusFormat.Xmldoc => [],
                _ when isBehind => [],
                CorpusFormat.Text => Reading(path, stream => TextReading.Batches(stream, path, start, cut), cancellation),
                CorpusFormat.Jsonl => Reading(path, stream => JsonLines.Batches(stream, path, file.Field, start), cancellation),
                _ => ParquetRows.Batches(path, file.Field, start),
            };
            foreach (FileBatch batch in batches)
            {
                if (!isBehind && batch.NextRecord > start)
                {
                    yield return new DocumentBatch(new CorpusPosition(i, batch.NextRecord), before + batch.FileBytesRead, batch.Bytes, batch.Records.Where(r => !IsBlank(r)));
                }
            }

            RefuseChanged(i);
            before += file.Bytes;
        }
    }

    private static (long Bytes, DateTime Written) Stamp(CorpusFile file) => (new FileInfo(file.Path).Length, File.GetLastWriteTimeUtc(file.Path));

    // What was read since it was hashed would be kept under the hash of something else.
    private void RefuseChanged(int file)
    {
        if (_fingerprint is not null && Stamp(files[file]) != _hashed[file])
        {
            throw new TextChangedException(files[file].Path);
        }
    }

    private static IEnumerable<FileBatch> Reading(string path, Func<SourceStream, IEnumerable<FileBatch>> batches, CancellationToken cancellation)
    {
        using var stream = new SourceStream(path, cancellation);
        foreach (FileBatch batch in batches(stream))
        {
            yield return batch;
        }
    }

    // A page's neighbours can be anywhere in its file, so that all of it is one batch.
    private static IEnumerable<FileBatch> XmlBatches(SourceStream stream, string path)
    {
        CorpusRecord[] records = [.. XmlDocumentation.Documents(stream, path).Select(d => new CorpusRecord(d, null))];
        yield return new FileBatch(1, stream.FileBytesRead, records.Sum(r => (long)r.Document!.Text.Length) * sizeof(char), records);
    }

    private static IEnumerable<FileBatch> OnceEach(IEnumerable<FileBatch> batches, HashSet<TextHash> seen) =>
        batches.Select(b => b with { Records = [.. b.Records.Where(r => !IsBlank(r) && seen.Add(TextHash.Of(r.Document!.Text)))] });

    private static bool IsBlank(CorpusRecord record) => record.Document is { Part: null } document && string.IsNullOrWhiteSpace(document.Text);
}
