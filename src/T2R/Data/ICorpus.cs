namespace T2R.Data;

/// <summary>A collection of documents that can be read again and again, always the same and in the same order.</summary>
public interface ICorpus
{
    /// <summary>What the user called it, for messages.</summary>
    string Name { get; }

    /// <summary>Bytes of its files as they lie on disk; the end of what <see cref="Document.SourceBytesRead"/> counts.</summary>
    long SourceBytes { get; }

    /// <summary>A hash, in hexadecimal, of everything the documents depend on. Equal hashes mean equal documents.</summary>
    /// <returns>64 hexadecimal digits.</returns>
    string Fingerprint();

    /// <summary>Reads the documents, one after another; none is empty.</summary>
    /// <returns>A stream: only the document at hand is in memory.</returns>
    /// <exception cref="UserErrorException">A file is damaged; names the file and the line.</exception>
    IEnumerable<Document> Documents();
}
