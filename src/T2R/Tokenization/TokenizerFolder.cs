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
    public static TextTokenizer Open(string folder) => new SentencePieceTokenizer(SentencePieceModel.Load(FileIn(folder)));

    /// <summary>The file that a folder's tokenizer is made of.</summary>
    /// <param name="folder">A folder with <c>tokenizer.model</c>.</param>
    /// <returns>Its path.</returns>
    /// <exception cref="UserErrorException">There is no folder, or no tokenizer in it.</exception>
    public static string FileIn(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new UserErrorException($"{folder}: there is no such folder; one with a {SentencePieceFile} was expected.");
        }

        string path = Path.Combine(folder, SentencePieceFile);
        if (File.Exists(path))
        {
            return path;
        }

        throw new UserErrorException(File.Exists(Path.Combine(folder, JsonFile))
            ? $"{folder}: has {JsonFile}, which is not supported yet; put the model's {SentencePieceFile} (SentencePiece) beside it."
            : $"{folder}: has no tokenizer; put the model's {SentencePieceFile} (SentencePiece) there.");
    }
}
