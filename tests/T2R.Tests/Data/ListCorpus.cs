using T2R.Data;

namespace T2R.Tests.Data;

/// <summary>A corpus of given texts.</summary>
internal sealed class ListCorpus(params IReadOnlyList<string> texts) : ICorpus
{
    public string Name => "list";

    public long SourceBytes => texts.Sum(t => t.Length);

    public string Fingerprint() => string.Join('|', texts);

    public IEnumerable<Document> Documents() => texts.Select((t, i) => new Document(t, $"list:{i}") { SourceBytesRead = texts.Take(i + 1).Sum(u => u.Length) });
}
