namespace T2R.Data;

/// <summary>How a file holds documents. Each may be compressed by gzip or Zstandard (a further extension <c>.gz</c> or <c>.zst</c>), except <see cref="Parquet"/> and <see cref="U16"/>.</summary>
public enum CorpusFormat
{
    /// <summary>By extension: <c>.txt</c> and <c>.md</c> are text, <c>.jsonl</c> JSON lines, <c>.parquet</c> Parquet, <c>.xml</c> XML documentation, <c>.u16</c> token ids.</summary>
    Auto,

    /// <summary>The whole file is one document, in UTF-8.</summary>
    Text,

    /// <summary>Each line is a JSON object, one of whose fields is the document.</summary>
    Jsonl,

    /// <summary>
    /// Each row is a document, in one of the file's columns. What is not UTF-8 in a column of bytes is a damaged row; in one of strings it is read as U+FFFD, as it is decoded by
    /// the library, which keeps no bytes.
    /// </summary>
    Parquet,

    /// <summary>The documentation file a .NET compiler writes beside an assembly: one document a type.</summary>
    Xmldoc,

    /// <summary>No text but token ids, little-endian unsigned 16-bit; read by <see cref="TokenStream.FromFile"/>.</summary>
    U16,
}
