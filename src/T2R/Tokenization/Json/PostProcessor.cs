using System.Text.Json;

namespace T2R.Tokenization.Json;

/// <summary>What tokenizer.json's <c>post_processor</c> puts around a text. T2R's callers add it themselves, so it only tells which ids those are.</summary>
internal static class PostProcessor
{
    /// <summary>Reads it.</summary>
    /// <param name="part">Null for none.</param>
    /// <returns>The ids put before and behind a text, null for none.</returns>
    public static (int? Before, int? Behind) Read(JsonPart? part)
    {
        switch (part?.Type)
        {
            case null:
                return default;
            case "Sequence":
                (int?, int?) found = default;
                foreach (JsonPart step in part.Objects("processors"))
                {
                    found = Read(step) is var own && own != default ? own : found;
                }

                return found;
            case "ByteLevel":
                return default; // moves offsets alone
            case "TemplateProcessing":
                return Template(part);
            default:
                part.Refuse($".type is '{part.Type}', a post-processor that T2R does not support; it supports Sequence, ByteLevel and TemplateProcessing.");
                return default;
        }
    }

    private static (int? Before, int? Behind) Template(JsonPart part)
    {
        int? before = null, behind = null;
        bool isBehind = false;
        JsonPart? tokens = part.Object("special_tokens");
        foreach (JsonPart piece in part.Objects("single"))
        {
            if (piece.Object("SpecialToken")?.Text("id") is { } name)
            {
                int[] ids = tokens?.Object(name)?.Find("ids") is { ValueKind: JsonValueKind.Array } list && list.EnumerateArray().All(i => i.ValueKind == JsonValueKind.Number && i.TryGetInt32(out _))
                    ? [.. list.EnumerateArray().Select(i => i.GetInt32())]
                    : [];
                if (ids.Length != 1)
                {
                    part.Refuse($".special_tokens gives '{name}' no id, or several; expected one.");
                    continue;
                }

                before = isBehind ? before : ids[0];
                behind = isBehind ? ids[0] : behind;
            }

            isBehind |= piece.Object("Sequence") is not null;
        }

        return (before, behind);
    }
}
