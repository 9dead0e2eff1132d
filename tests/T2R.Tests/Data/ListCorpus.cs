using T2R.Data;

namespace T2R.Tests.Data;

/// <summary>A corpus of given texts, each a batch and a file of its own.</summary>
internal sealed class ListCorpus(params IReadOnlyList<string> texts) : ICorpus
{
    private int _read;

    public string Name => "list";

    public long SourceBytes => texts.Sum(t => t.Length);

    /// <summary>How many batches were read so far.</summary>
    public int BatchesRead => _read;

    public string Fingerprint(IProgress<StageProgress>? progress = null, CancellationToken cancellation = default) => string.Join('|', texts);

    public IEnumerable<DocumentBatch> Batches(CorpusPosition from = default, TextCut? cut = null, CancellationToken cancellation = default)
    {
        for (int i = from.File; i < texts.Count; i++)
        {
            _read++;
            yield return new DocumentBatch(new CorpusPosition(i + 1, 0), texts.Take(i + 1).Sum(t => t.Length), texts[i].Length, [new CorpusRecord(new Document(texts[i], $"list:{i}"), null)]);
        }
    }
}
