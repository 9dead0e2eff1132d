using Google.Protobuf;
using T2R.Checkpoints;

namespace T2R.Tokenization;

/// <summary>
/// A <c>tokenizer.model</c>: SentencePiece's <c>ModelProto</c> (sentencepiece_model.proto), as far as byte-pair encoding needs it. What is held here
/// passed every check, so a tokenizer can be made of it.
/// </summary>
public sealed class SentencePieceModel
{
    /// <summary>Checks and holds.</summary>
    /// <param name="pieces">The vocabulary, in the order of ids.</param>
    /// <param name="trainer">How it segments.</param>
    /// <param name="normalizer">What happens to a text first.</param>
    /// <param name="source">What messages call this model: a file's path.</param>
    /// <exception cref="UserErrorException">Something is unsupported or inconsistent; holds every problem.</exception>
    public SentencePieceModel(
        IReadOnlyList<SentencePiece> pieces, SentencePieceTrainerSpec trainer, SentencePieceNormalizerSpec normalizer, string source)
    {
        Pieces = [.. pieces];
        SentencePieceModelChecks.Run(Pieces, trainer, normalizer, source);
        Trainer = trainer;
        Normalizer = normalizer;
    }

    /// <summary>The vocabulary; the index is the id.</summary>
    public IReadOnlyList<SentencePiece> Pieces { get; }

    /// <summary>How it segments.</summary>
    public SentencePieceTrainerSpec Trainer { get; }

    /// <summary>What happens to a text first.</summary>
    public SentencePieceNormalizerSpec Normalizer { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file, usually called <c>tokenizer.model</c>.</param>
    /// <returns>The model.</returns>
    /// <exception cref="UserErrorException">The file is missing, damaged, or a kind of model that is not supported.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static SentencePieceModel Load(string path)
    {
        _ = InputFile.Length(path);
        return Parse(File.ReadAllBytes(path), path);
    }

    /// <summary>Reads the bytes of a file.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="source">What messages call it: the file's path.</param>
    /// <returns>The model.</returns>
    /// <exception cref="UserErrorException">The bytes are damaged, or a kind of model that is not supported.</exception>
    public static SentencePieceModel Parse(byte[] bytes, string source)
    {
        try
        {
            return SentencePieceModelReader.Read(new CodedInputStream(bytes), source);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new UserErrorException($"{source}: not a SentencePiece model, or damaged ({e.Message}); copy the file again.", e);
        }
    }

    /// <summary>Writes the file whole or not at all.</summary>
    /// <param name="path">Where; a file there is replaced.</param>
    /// <exception cref="UserErrorException">Its folder is missing, or it is a folder.</exception>
    /// <exception cref="IOException">The disk is full or fails; the file is as it was.</exception>
    public void Save(string path) => AtomicFile.WriteAllBytes(path, ToBytes());

    /// <summary>The bytes of the file, the same for the same model.</summary>
    /// <returns>A <c>ModelProto</c> that other SentencePiece implementations read.</returns>
    public byte[] ToBytes() => SentencePieceModelWriter.Write(this);
}
