namespace T2R.Data;

/// <summary>A collection of documents that can be read again and again, always the same and in the same order.</summary>
public interface ICorpus
{
    /// <summary>What the user called it, for messages.</summary>
    string Name { get; }

    /// <summary>Bytes of its files as they lie on disk; the end of what <see cref="DocumentBatch.SourceBytesRead"/> counts.</summary>
    long SourceBytes { get; }

    /// <summary>A hash, in hexadecimal, of everything the documents depend on. Equal hashes mean equal documents.</summary>
    /// <param name="progress">Hears of the bytes of source files hashed.</param>
    /// <param name="cancellation">Stops the work.</param>
    string Fingerprint(IProgress<StageProgress>? progress = null, CancellationToken cancellation = default);

    /// <summary>Reads the documents, batch after batch.</summary>
    /// <param name="from">Where to begin: the <see cref="DocumentBatch.End"/> of a batch of an earlier reading.</param>
    /// <param name="cut">Where long texts can be cut, which then come in parts; null when each document is to be whole.</param>
    /// <param name="cancellation">Stops the work, also within a file's part that is only passed over.</param>
    /// <returns>A stream: only the batch at hand is in memory.</returns>
    /// <exception cref="UserErrorException">A file cannot be read on; names the file. A single damaged record is no such case, but is among the records.</exception>
    /// <exception cref="IOException">A file was changed since <see cref="Fingerprint"/> read it, or the disk fails.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    IEnumerable<DocumentBatch> Batches(CorpusPosition from = default, TextCut? cut = null, CancellationToken cancellation = default);

    /// <summary>Reads the documents, one after another.</summary>
    /// <exception cref="UserErrorException">A record is damaged; names the file and the line.</exception>
    IEnumerable<Document> Documents() => Batches().SelectMany(b => b.Records).Select(r => r.Document ?? throw r.Damage!);
}
