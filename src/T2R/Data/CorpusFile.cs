namespace T2R.Data;

/// <summary>A file of a corpus.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Format">How it holds documents; never <see cref="CorpusFormat.Auto"/>.</param>
/// <param name="Field">The field of JSON lines, or the column of Parquet, that holds the text.</param>
/// <param name="Bytes">Its size on disk.</param>
internal sealed record CorpusFile(string Path, CorpusFormat Format, string Field, long Bytes);
