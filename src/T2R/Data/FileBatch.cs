namespace T2R.Data;

/// <summary>What <see cref="DocumentBatch"/> is of a corpus, of a single file.</summary>
/// <param name="NextRecord">How many records of the file are behind, with these.</param>
/// <param name="FileBytesRead">How many bytes of the file on disk had been read for it.</param>
/// <param name="Bytes">About how much memory it holds.</param>
/// <param name="Records">Decodes, on the thread that enumerates.</param>
internal readonly record struct FileBatch(long NextRecord, long FileBytesRead, long Bytes, IEnumerable<CorpusRecord> Records);
