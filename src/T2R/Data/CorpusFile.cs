namespace T2R.Data;

/// <summary>A file of a corpus.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Format">How it holds documents; never <see cref="CorpusFormat.Auto"/>.</param>
/// <param name="Bytes">Its size on disk.</param>
internal sealed record CorpusFile(string Path, CorpusFormat Format, long Bytes);
