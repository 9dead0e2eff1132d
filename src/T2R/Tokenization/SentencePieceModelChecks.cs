namespace T2R.Tokenization;

/// <summary>What a model must fulfil to encode exactly; reports all that is wrong at once.</summary>
internal static class SentencePieceModelChecks
{
    // A file with a hole in it has thousands.
    private const int MostProblems = 10;

    public static void Run(
        IReadOnlyList<SentencePiece> pieces, SentencePieceTrainerSpec trainer, SentencePieceNormalizerSpec normalizer, string source)
    {
        var problems = new Problems();
        if (pieces.Count == 0)
        {
            problems.Add($"{source}: holds no pieces; not a SentencePiece model, or damaged.");
            problems.ThrowIfAny();
        }

        if (trainer.Algorithm != SentencePieceAlgorithm.Bpe)
        {
            problems.Add($"{source}: model_type is {Name(trainer.Algorithm)}; only BPE models are supported.");
        }

        if (!normalizer.PrecompiledCharsMap.IsEmpty)
        {
            problems.Add(
                $"{source}: normalizer '{normalizer.Name}' has a precompiled_charsmap of {normalizer.PrecompiledCharsMap.Length} bytes; "
                + "only models that leave characters as they are (identity, as Llama's and Mistral's) are supported.");
        }

        CheckPieces(pieces, source, problems);
        CheckBytes(pieces, trainer, source, problems);
        int unknowns = pieces.Count(p => p.Type == SentencePieceType.Unknown);
        if (unknowns != 1)
        {
            problems.Add($"{source}: has {unknowns} pieces of type unknown; exactly one was expected.");
        }

        problems.ThrowIfAny();
    }

    private static void CheckPieces(IReadOnlyList<SentencePiece> pieces, string source, Problems problems)
    {
        var first = new Dictionary<string, int>(pieces.Count);
        int wrong = 0;
        for (int id = 0; id < pieces.Count && wrong < MostProblems; id++)
        {
            SentencePiece piece = pieces[id];
            string? mistake =
                piece.Text.Length == 0 ? "has no text."
                : !first.TryAdd(piece.Text, id) ? $"repeats '{piece.Text}', which is piece {first[piece.Text]}."
                : !float.IsFinite(piece.Score) ? $"'{piece.Text}' has score {piece.Score}; a finite number was expected."
                : !Enum.IsDefined(piece.Type) ? $"'{piece.Text}' has type {(int)piece.Type}; 1 to 6 were expected."
                : null;
            if (mistake is not null)
            {
                problems.Add($"{source}: piece {id} {mistake}");
                wrong++;
            }
        }
    }

    private static void CheckBytes(IReadOnlyList<SentencePiece> pieces, SentencePieceTrainerSpec trainer, string source, Problems problems)
    {
        var found = new HashSet<int>();
        for (int id = 0; id < pieces.Count; id++)
        {
            if (pieces[id].Type != SentencePieceType.Byte)
            {
                continue;
            }

            int value = BytePiece.Value(pieces[id].Text);
            found.Add(value);
            if (value < 0)
            {
                problems.Add($"{source}: piece {id} is a byte but is spelled '{pieces[id].Text}'; something like '<0x0A>' was expected.");
            }
        }

        found.Remove(-1);
        if (trainer.ByteFallback && found.Count != 256)
        {
            problems.Add($"{source}: byte_fallback is on, but {256 - found.Count} of the 256 byte pieces are missing.");
        }

        if (!trainer.ByteFallback && found.Count != 0)
        {
            problems.Add($"{source}: has {found.Count} byte pieces though byte_fallback is off.");
        }
    }

    private static string Name(SentencePieceAlgorithm algorithm) => algorithm switch
    {
        SentencePieceAlgorithm.Unigram => "UNIGRAM",
        SentencePieceAlgorithm.Word => "WORD",
        SentencePieceAlgorithm.Character => "CHAR",
        _ => ((int)algorithm).ToString(),
    };
}
