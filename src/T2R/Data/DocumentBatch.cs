namespace T2R.Data;

/// <summary>Records of a corpus that lie side by side in one file, read but not yet decoded: one thread reads, many decode.</summary>
/// <param name="End">Where the next batch begins.</param>
/// <param name="SourceBytesRead">How many bytes of the corpus' files (compressed, if they are) had been read for it; for progress.</param>
/// <param name="Bytes">About how much memory it holds.</param>
/// <param name="Records">Decodes, on the thread that enumerates. No document among them is blank.</param>
public sealed record DocumentBatch(CorpusPosition End, long SourceBytesRead, long Bytes, IEnumerable<CorpusRecord> Records);
