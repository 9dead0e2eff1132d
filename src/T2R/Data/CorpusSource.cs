namespace T2R.Data;

/// <summary>Some of a corpus' files, and how they are read.</summary>
/// <param name="Paths">
/// Files, folders (every file below with a fitting extension), globs (<c>*</c>, <c>?</c> and <c>**</c>) or files of a restored NuGet package:
/// <c>nuget:Microsoft.NETCore.App.Ref/10.0.12/ref/net10.0/*.xml</c>. A leading <c>~/</c> is the home folder. A path after <c>!</c> takes its files out again.
/// </param>
/// <param name="Format">What the files hold.</param>
/// <param name="Field">The field of JSON lines, or the column of Parquet, that holds the text.</param>
public sealed record CorpusSource(IReadOnlyList<string> Paths, CorpusFormat Format = CorpusFormat.Auto, string Field = "text");
