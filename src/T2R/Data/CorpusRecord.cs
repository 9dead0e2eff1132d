namespace T2R.Data;

/// <summary>What a record of a corpus turned out to be: a document, or damaged.</summary>
/// <param name="Document">The document; null when the record is damaged.</param>
/// <param name="Damage">What is wrong with it, and where it is; null when it is a document.</param>
public readonly record struct CorpusRecord(Document? Document, UserErrorException? Damage)
{
    internal static CorpusRecord Of(string id, Func<string> read)
    {
        try
        {
            return new CorpusRecord(new Document(read(), id), null);
        }
        catch (UserErrorException e)
        {
            return new CorpusRecord(null, e);
        }
    }
}
