using System.Text.Json;

namespace T2R.Tokenization.Json;

/// <summary>tokenizer.json's <c>model</c>, of type BPE: a vocabulary and the merges that lead to it.</summary>
internal sealed class BpeModel
{
    /// <summary>Ids are below this: a file with a larger one is damaged, and would take a table as large.</summary>
    public const int MostIds = 1 << 24;

    /// <summary>Ids by token.</summary>
    public required Dictionary<string, int> Vocabulary { get; init; }

    /// <summary>What two neighbouring ids merge to, and when: the lower rank first.</summary>
    public required Dictionary<(int Left, int Right), (int Rank, int Id)> Merges { get; init; }

    /// <summary>The id for characters that have none; null if there is none.</summary>
    public int? UnknownId { get; init; }

    /// <summary>Whether unknown characters that follow each other are one id.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>Whether a character without an id is spelled in bytes, <c>&lt;0x0A&gt;</c>.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether a pre-token that is a token is that token, whatever merges make of it.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>Reads it.</summary>
    /// <param name="part">The model.</param>
    /// <param name="byteLevel">Whether its characters are bytes' (<see cref="ByteAlphabet"/>).</param>
    /// <returns>Null if it cannot be read; what is wrong has been said then.</returns>
    public static BpeModel? Read(JsonPart? part, bool byteLevel)
    {
        if (part is null)
        {
            return null;
        }

        // Files of before 2021 name no type.
        if (part.Text("type") is { } type && type != "BPE")
        {
            part.Refuse($".type is '{type}'; T2R supports BPE alone.");
            return null;
        }

        if (part.Find("dropout") is { } dropout && !(dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() == 0))
        {
            part.Refuse($".dropout is {dropout}; T2R supports tokenizers without alone.");
        }

        foreach (string affix in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (part.Text(affix) is { Length: > 0 } value)
            {
                part.Refuse($".{affix} is '{value}'; T2R supports tokenizers without alone.");
            }
        }

        Dictionary<string, int> vocabulary = ReadVocabulary(part);
        string? unknown = part.Text("unk_token");
        var model = new BpeModel
        {
            Vocabulary = vocabulary,
            Merges = ReadMerges(part, vocabulary),
            UnknownId = unknown is not null && vocabulary.TryGetValue(unknown, out int id) ? id : null,
            FusesUnknown = part.Flag("fuse_unk"),
            ByteFallback = part.Flag("byte_fallback"),
            IgnoresMerges = part.Flag("ignore_merges"),
        };
        part.End();
        if (unknown is not null && model.UnknownId is null)
        {
            part.Refuse($".unk_token is '{unknown}', which is not in the vocabulary.");
        }

        model.CheckBytes(part, byteLevel);
        return model;
    }

    // What has no token would be lost.
    private void CheckBytes(JsonPart part, bool byteLevel)
    {
        int named = Enumerable.Range(0, 256).Count(b => !Vocabulary.ContainsKey(BytePiece.Spell((byte)b)));
        int spelled = Enumerable.Range(0, 256).Count(b => !Vocabulary.ContainsKey(ByteAlphabet.Character(b).ToString()));
        if (ByteFallback && named > 0)
        {
            part.Refuse($".byte_fallback is on, but {named} of the 256 bytes' tokens (<0x00> to <0xFF>) are not in the vocabulary.");
        }
        else if (!ByteFallback && UnknownId is null && !byteLevel)
        {
            part.Refuse(" has neither unk_token nor byte_fallback nor the pre-tokenizer ByteLevel: what its vocabulary cannot spell would be lost.");
        }
        else if (byteLevel && UnknownId is null && spelled > 0)
        {
            part.Refuse($".vocab lacks {spelled} of the 256 bytes' characters (Ā to ÿ): what it cannot spell would be lost.");
        }
    }

    private static Dictionary<string, int> ReadVocabulary(JsonPart part)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        if (part.Find("vocab") is not { ValueKind: JsonValueKind.Object } vocab)
        {
            part.Refuse(".vocab is missing or no object; expected ids by token.");
            return vocabulary;
        }

        var tokens = new Dictionary<int, string>();
        foreach (JsonProperty entry in vocab.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id is < 0 or >= MostIds || !tokens.TryAdd(id, entry.Name))
            {
                part.Refuse($".vocab gives '{entry.Name}' the id {entry.Value}; expected a whole number from 0 to {MostIds - 1} that no other token has.");
                return vocabulary;
            }

            if (entry.Name.Length == 0)
            {
                part.Refuse($".vocab has a token without characters (id {id}), which stands for no text; fetch the file again.");
                return vocabulary;
            }

            vocabulary.Add(entry.Name, id);
        }

        return vocabulary;
    }

    private static Dictionary<(int Left, int Right), (int Rank, int Id)> ReadMerges(JsonPart part, Dictionary<string, int> vocabulary)
    {
        var merges = new Dictionary<(int Left, int Right), (int Rank, int Id)>();
        if (part.Find("merges") is not { ValueKind: JsonValueKind.Array } list)
        {
            part.Refuse(".merges is missing or no list; expected pairs of tokens.");
            return merges;
        }

        int rank = 0;
        foreach (JsonElement entry in list.EnumerateArray())
        {
            // The header of a merges.txt that was taken over as it is.
            if (entry.ValueKind == JsonValueKind.String && entry.GetString()!.StartsWith("#version", StringComparison.Ordinal))
            {
                continue;
            }

            string[] pair = entry.ValueKind switch
            {
                JsonValueKind.String => entry.GetString()!.Split(' '),
                JsonValueKind.Array when entry.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String) => [.. entry.EnumerateArray().Select(e => e.GetString()!)],
                _ => [],
            };
            if (pair.Length != 2 || !vocabulary.TryGetValue(pair[0], out int left) || !vocabulary.TryGetValue(pair[1], out int right) || !vocabulary.TryGetValue(pair[0] + pair[1], out int merged))
            {
                part.Refuse($".merges[{rank}] is {entry}; expected two tokens of the vocabulary, which joined are one too.");
                return merges;
            }

            merges[(left, right)] = (rank++, merged);
        }

        return merges;
    }
}
