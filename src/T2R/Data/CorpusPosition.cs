namespace T2R.Data;

/// <summary>Where reading stands in a corpus: all that is needed to go on with the record that would have followed.</summary>
/// <param name="File">How many of its files are behind.</param>
/// <param name="Record">How many records of the file at hand (lines, rows, or the bytes of a text) are.</param>
public readonly record struct CorpusPosition(int File, long Record);
