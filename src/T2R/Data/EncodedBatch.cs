namespace T2R.Data;

/// <summary>A batch of documents as ids.</summary>
/// <param name="End">Where the next batch begins.</param>
/// <param name="SourceBytesRead">As in <see cref="DocumentBatch"/>.</param>
/// <param name="Ids">The ids, the beginning-of-sequence id before each document.</param>
/// <param name="Damages">What is wrong with the records that are none.</param>
internal sealed record EncodedBatch(CorpusPosition End, long SourceBytesRead, List<int> Ids, IReadOnlyList<UserErrorException> Damages);
