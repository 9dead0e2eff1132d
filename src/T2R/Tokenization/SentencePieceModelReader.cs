using System.Text;
using Google.Protobuf;

namespace T2R.Tokenization;

/// <summary>Reads the wire format of sentencepiece_model.proto; fields that do not matter here are passed over.</summary>
internal static class SentencePieceModelReader
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static SentencePieceModel Read(CodedInputStream input, string source)
    {
        var pieces = new List<SentencePiece>();
        var trainer = new SentencePieceTrainerSpec();
        var normalizer = new SentencePieceNormalizerSpec();
        var denormalizer = new SentencePieceNormalizerSpec();
        while (input.ReadTag() is not 0 and uint tag)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1: pieces.Add(Piece(Message(input, tag, source), $"{source}: piece {pieces.Count}")); break;
                case 2: trainer = Trainer(Message(input, tag, source), trainer, $"{source}: trainer_spec"); break;
                case 3: normalizer = Normalizer(Message(input, tag, source), normalizer, $"{source}: normalizer_spec"); break;
                case 5: denormalizer = Normalizer(Message(input, tag, source), denormalizer, $"{source}: denormalizer_spec"); break;
                default: input.SkipLastField(); break;
            }
        }

        if (!denormalizer.PrecompiledCharsMap.IsEmpty)
        {
            throw new UserErrorException($"{source}: denormalizer_spec has a precompiled_charsmap; models that rewrite decoded text are not supported.");
        }

        return new SentencePieceModel(pieces, trainer, normalizer, source);
    }

    private static SentencePiece Piece(CodedInputStream input, string place)
    {
        string text = "";
        float score = 0;
        var type = SentencePieceType.Normal;
        while (input.ReadTag() is not 0 and uint tag)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1: text = Text(input, tag, place); break;
                case 2: score = Float(input, tag, place); break;
                case 3: type = (SentencePieceType)Int(input, tag, place); break;
                default: input.SkipLastField(); break;
            }
        }

        return new SentencePiece(text, score, type);
    }

    private static SentencePieceTrainerSpec Trainer(CodedInputStream input, SentencePieceTrainerSpec spec, string place)
    {
        while (input.ReadTag() is not 0 and uint tag)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 3: spec = spec with { Algorithm = (SentencePieceAlgorithm)Int(input, tag, place) }; break;
                case 4: spec = spec with { VocabularySize = Int(input, tag, place) }; break;
                case 10: spec = spec with { CharacterCoverage = Float(input, tag, place) }; break;
                case 20: spec = spec with { MaximumPieceLength = Int(input, tag, place) }; break;
                case 21: spec = spec with { SplitByUnicodeScript = Bool(input, tag, place) }; break;
                case 22: spec = spec with { SplitByWhitespace = Bool(input, tag, place) }; break;
                case 23: spec = spec with { SplitByNumber = Bool(input, tag, place) }; break;
                case 24: spec = spec with { TreatWhitespaceAsSuffix = Bool(input, tag, place) }; break;
                case 25: spec = spec with { SplitDigits = Bool(input, tag, place) }; break;
                case 26: spec = spec with { AllowWhitespaceOnlyPieces = Bool(input, tag, place) }; break;
                case 35: spec = spec with { ByteFallback = Bool(input, tag, place) }; break;
                case 40: spec = spec with { UnknownId = Int(input, tag, place) }; break;
                case 41: spec = spec with { BeginningOfSentenceId = Int(input, tag, place) }; break;
                case 42: spec = spec with { EndOfSentenceId = Int(input, tag, place) }; break;
                case 43: spec = spec with { PadId = Int(input, tag, place) }; break;
                case 44: spec = spec with { UnknownSurface = Text(input, tag, place) }; break;
                case 45: spec = spec with { UnknownPiece = Text(input, tag, place) }; break;
                case 46: spec = spec with { BeginningOfSentencePiece = Text(input, tag, place) }; break;
                case 47: spec = spec with { EndOfSentencePiece = Text(input, tag, place) }; break;
                case 48: spec = spec with { PadPiece = Text(input, tag, place) }; break;
                default: input.SkipLastField(); break;
            }
        }

        return spec;
    }

    private static SentencePieceNormalizerSpec Normalizer(CodedInputStream input, SentencePieceNormalizerSpec spec, string place)
    {
        while (input.ReadTag() is not 0 and uint tag)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1: spec = spec with { Name = Text(input, tag, place) }; break;
                case 2: spec = spec with { PrecompiledCharsMap = Bytes(input, tag, place) }; break;
                case 3: spec = spec with { AddDummyPrefix = Bool(input, tag, place) }; break;
                case 4: spec = spec with { RemoveExtraWhitespaces = Bool(input, tag, place) }; break;
                case 5: spec = spec with { EscapeWhitespaces = Bool(input, tag, place) }; break;
                default: input.SkipLastField(); break;
            }
        }

        return spec;
    }

    private static CodedInputStream Message(CodedInputStream input, uint tag, string place) => new(Bytes(input, tag, place));

    private static byte[] Bytes(CodedInputStream input, uint tag, string place)
    {
        Expect(WireFormat.WireType.LengthDelimited, tag, place);
        return input.ReadBytes().ToByteArray();
    }

    private static string Text(CodedInputStream input, uint tag, string place)
    {
        try
        {
            return Strict.GetString(Bytes(input, tag, place));
        }
        catch (DecoderFallbackException e)
        {
            throw new UserErrorException($"{place}: field {WireFormat.GetTagFieldNumber(tag)} is not UTF-8; the file is damaged, copy it again.", e);
        }
    }

    private static float Float(CodedInputStream input, uint tag, string place)
    {
        Expect(WireFormat.WireType.Fixed32, tag, place);
        return input.ReadFloat();
    }

    private static int Int(CodedInputStream input, uint tag, string place)
    {
        Expect(WireFormat.WireType.Varint, tag, place);
        return input.ReadInt32();
    }

    private static bool Bool(CodedInputStream input, uint tag, string place)
    {
        Expect(WireFormat.WireType.Varint, tag, place);
        return input.ReadBool();
    }

    private static void Expect(WireFormat.WireType expected, uint tag, string place)
    {
        if (WireFormat.GetTagWireType(tag) != expected)
        {
            throw new UserErrorException(
                $"{place}: field {WireFormat.GetTagFieldNumber(tag)} has wire type {WireFormat.GetTagWireType(tag)}, {expected} was expected; "
                + "not a SentencePiece model, or damaged.");
        }
    }
}
