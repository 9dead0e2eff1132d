namespace T2R.Tokenization;

/// <summary>Finds the tokenizer that lies beside a checkpoint.</summary>
public static class TokenizerFolder
{
    private const string SentencePieceFile = "tokenizer.model";
    private const string JsonFile = "tokenizer.json";

    /// <summary>Opens a folder's tokenizer.</summary>
    /// <param name="folder">A folder with <c>tokenizer.model</c>.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="UserErrorException">There is no folder, no tokenizer in it, or one that is damaged or not supported.</exception>
    public static SentencePieceTokenizer Open(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new UserErrorException($"{folder}: there is no such folder; one with a {SentencePieceFile} was expected.");
        }

        string path = Path.Combine(folder, SentencePieceFile);
        if (File.Exists(path))
        {
            return new SentencePieceTokenizer(SentencePieceModel.Load(path));
        }

        throw new UserErrorException(File.Exists(Path.Combine(folder, JsonFile))
            ? $"{folder}: has {JsonFile}, which is not supported yet; put the model's {SentencePieceFile} (SentencePiece) beside it."
            : $"{folder}: has no tokenizer; put the model's {SentencePieceFile} (SentencePiece) there.");
    }
}
