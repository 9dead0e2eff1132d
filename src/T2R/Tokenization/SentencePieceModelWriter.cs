using Google.Protobuf;

namespace T2R.Tokenization;

/// <summary>Writes the wire format of sentencepiece_model.proto, every field that the model holds, in the order of field numbers.</summary>
internal static class SentencePieceModelWriter
{
    public static byte[] Write(SentencePieceModel model)
    {
        using var stream = new MemoryStream();
        using var output = new CodedOutputStream(stream);
        foreach (SentencePiece piece in model.Pieces)
        {
            Message(output, 1, inner => Piece(inner, piece));
        }

        Message(output, 2, inner => Trainer(inner, model.Trainer));
        Message(output, 3, inner => Normalizer(inner, model.Normalizer));
        output.Flush();
        return stream.ToArray();
    }

    private static void Piece(CodedOutputStream output, SentencePiece piece)
    {
        Text(output, 1, piece.Text);
        Float(output, 2, piece.Score);
        if (piece.Type != SentencePieceType.Normal)
        {
            Int(output, 3, (int)piece.Type);
        }
    }

    private static void Trainer(CodedOutputStream output, SentencePieceTrainerSpec spec)
    {
        Int(output, 3, (int)spec.Algorithm);
        Int(output, 4, spec.VocabularySize);
        Float(output, 10, spec.CharacterCoverage);
        Int(output, 20, spec.MaximumPieceLength);
        Bool(output, 21, spec.SplitByUnicodeScript);
        Bool(output, 22, spec.SplitByWhitespace);
        Bool(output, 23, spec.SplitByNumber);
        Bool(output, 24, spec.TreatWhitespaceAsSuffix);
        Bool(output, 25, spec.SplitDigits);
        Bool(output, 26, spec.AllowWhitespaceOnlyPieces);
        Bool(output, 35, spec.ByteFallback);
        Int(output, 40, spec.UnknownId);
        Int(output, 41, spec.BeginningOfSentenceId);
        Int(output, 42, spec.EndOfSentenceId);
        Int(output, 43, spec.PadId);
        Text(output, 44, spec.UnknownSurface);
        Text(output, 45, spec.UnknownPiece);
        Text(output, 46, spec.BeginningOfSentencePiece);
        Text(output, 47, spec.EndOfSentencePiece);
        Text(output, 48, spec.PadPiece);
    }

    private static void Normalizer(CodedOutputStream output, SentencePieceNormalizerSpec spec)
    {
        Text(output, 1, spec.Name);
        output.WriteTag(2, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(spec.PrecompiledCharsMap.Span));
        Bool(output, 3, spec.AddDummyPrefix);
        Bool(output, 4, spec.RemoveExtraWhitespaces);
        Bool(output, 5, spec.EscapeWhitespaces);
    }

    private static void Message(CodedOutputStream output, int field, Action<CodedOutputStream> write)
    {
        using var stream = new MemoryStream();
        using var inner = new CodedOutputStream(stream);
        write(inner);
        inner.Flush();
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(stream.GetBuffer().AsSpan(0, (int)stream.Length)));
    }

    private static void Text(CodedOutputStream output, int field, string value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteString(value);
    }

    private static void Float(CodedOutputStream output, int field, float value)
    {
        output.WriteTag(field, WireFormat.WireType.Fixed32);
        output.WriteFloat(value);
    }

    private static void Int(CodedOutputStream output, int field, int value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteInt32(value);
    }

    private static void Bool(CodedOutputStream output, int field, bool value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteBool(value);
    }
}
