using System.Security.Cryptography;
using System.Text;
using ZstdSharp;

namespace T2R.Data;

/// <summary>A corpus that lies in files.</summary>
internal sealed class FileCorpus(string name, IReadOnlyList<CorpusFile> files, string field) : ICorpus
{
    // Raise it when a reader starts to yield other documents from the same bytes: token files made before are then made again.
    private const string ReadersVersion = "t2r-readers-1";

    public string Name => name;

    public long SourceBytes { get; } = files.Sum(f => f.Bytes);

    public string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{ReadersVersion}\n{field}\n"));
        foreach (CorpusFile file in files)
        {
            using FileStream stream = OpenFile(file.Path);
            hash.AppendData(SHA256.HashData(stream));
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.Format}\n{CorpusReader.IsCompressed(file.Path)}\n"));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public IEnumerable<Document> Documents()
    {
        // Reference packs repeat each other's files and types; a text seen once teaches nothing the second time.
        var seen = new HashSet<TextHash>();
        var seenFiles = new HashSet<string>();
        long before = 0;
        foreach (CorpusFile file in files)
        {
            using FileStream stream = OpenFile(file.Path);
            if (file.Format == CorpusFormat.Xmldoc && !seenFiles.Add(Convert.ToHexString(SHA256.HashData(stream))))
            {
                before += file.Bytes;
                continue;
            }

            stream.Position = 0;
            using Stream bytes = CorpusReader.IsCompressed(file.Path) ? new DecompressionStream(stream) : stream;
            foreach (Document document in Read(file, new SourceStream(bytes, file.Path)))
            {
                if (!string.IsNullOrWhiteSpace(document.Text) && (file.Format != CorpusFormat.Xmldoc || seen.Add(TextHash.Of(document.Text))))
                {
                    yield return document with { SourceBytesRead = before + stream.Position };
                }
            }

            before += file.Bytes;
        }
    }

    private IEnumerable<Document> Read(CorpusFile file, Stream bytes) => file.Format switch
    {
        CorpusFormat.Text => TextReading.Documents(bytes, file.Path),
        CorpusFormat.Jsonl => JsonLines.Documents(bytes, file.Path, field),
        _ => XmlDocumentation.Documents(bytes, file.Path),
    };

    private static FileStream OpenFile(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
}
