using System.Text.Json;

namespace T2R.Tokenization.Json;

/// <summary>What tokenizer.json's <c>post_processor</c> puts around a text. T2R's callers add it themselves, so it only tells which ids those are.</summary>
/// <param name="Before">The id put before a text; null for none.</param>
/// <param name="Behind">The id put behind one; null for none.</param>
internal sealed record PostProcessor(int? Before, int? Behind)
{
    private static readonly PostProcessor Nothing = new(null, null);

    /// <summary>Reads it.</summary>
    /// <param name="part">Null for none.</param>
    /// <param name="isToken">Whether an id is one of the tokenizer's.</param>
    public static PostProcessor Read(JsonPart? part, Predicate<int> isToken)
    {
        switch (part?.Type)
        {
            case null:
                return Nothing;
            case "Sequence":
                PostProcessor[] found = [.. part.Objects("processors").Select(step => Read(step, isToken)).Where(step => step != Nothing)];
                if (found.Length > 1)
                {
                    part.Refuse($".processors has {found.Length} steps that put tokens around a text; T2R supports one.");
                }

                return found is [var one, ..] ? one : Nothing;
            case "ByteLevel":
                return Nothing; // moves offsets alone
            case "TemplateProcessing":
                return Template(part, isToken);
            default:
                part.Refuse($".type is '{part.Type}', a post-processor that T2R does not support; it supports Sequence, ByteLevel and TemplateProcessing.");
                return Nothing;
        }
    }

    private static PostProcessor Template(JsonPart part, Predicate<int> isToken)
    {
        List<(string Name, int Id)> before = [], behind = [];
        bool isBehind = false;
        JsonPart? tokens = part.Object("special_tokens");
        foreach (JsonPart piece in part.Objects("single"))
        {
            if (piece.Object("SpecialToken")?.Text("id") is { } name)
            {
                if (tokens?.Object(name)?.Find("ids") is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() != 1
                    || list[0].ValueKind != JsonValueKind.Number || !list[0].TryGetInt32(out int id) || !isToken(id))
                {
                    part.Refuse($".special_tokens gives '{name}' no id of the vocabulary's or the added tokens', or several; expected one.");
                    continue;
                }

                (isBehind ? behind : before).Add((name, id));
            }

            isBehind |= piece.Object("Sequence") is not null;
        }

        return new PostProcessor(One(before, "before"), One(behind, "behind"));

        int? One(List<(string Name, int Id)> found, string where)
        {
            if (found.Count > 1)
            {
                part.Refuse($".single puts {string.Join(" and ", found.Select(t => $"'{t.Name}' (id {t.Id})"))} {where} a text; T2R supports one token there.");
            }

            return found is [var first, ..] ? first.Id : null;
        }
    }
}
