namespace T2R.Tokenization.Json;

/// <summary>What happens to a text before it is cut: tokenizer.json's <c>normalizer</c>.</summary>
internal sealed class JsonNormalizer
{
    private readonly List<Func<string, string>> _steps = [];
    private readonly List<Func<string, string>> _nextSteps = [];

    /// <summary>Normalizes a text between two added tokens.</summary>
    public string Normalize(string text) => text.Length == 0 ? text : _steps.Aggregate(text, (t, step) => step(t));

    /// <summary>Normalizes a text that goes on with another: nothing is put before it.</summary>
    public string NormalizeNext(string text) => text.Length == 0 ? text : _nextSteps.Aggregate(text, (t, step) => step(t));

    /// <summary>Reads it.</summary>
    /// <param name="part">Null for none.</param>
    public static JsonNormalizer Read(JsonPart? part)
    {
        var normalizer = new JsonNormalizer();
        foreach (JsonPart step in part?.Steps("normalizers") ?? [])
        {
            normalizer.Add(step);
        }

        return normalizer;
    }

    private void Add(JsonPart part)
    {
        switch (part.Type)
        {
            case "Prepend":
                string prefix = part.Text("prepend") ?? "";
                _steps.Add(text => prefix + text);
                break;
            case "Replace":
                AddReplace(part);
                break;
            default:
                part.Refuse($".type is '{part.Type}', a normalizer that T2R does not support; it supports Sequence, Prepend and Replace.");
                return;
        }

        part.End();
    }

    private void AddReplace(JsonPart part)
    {
        string to = part.Text("content") ?? "";
        JsonPart? pattern = part.Object("pattern");
        if (pattern?.Text("String") is { Length: > 0 } from)
        {
            _steps.Add(text => text.Replace(from, to, StringComparison.Ordinal));
            _nextSteps.Add(_steps[^1]);
        }
        else
        {
            part.Refuse(".pattern is no {\"String\": …}, which is all that T2R supports in a normalizer.");
        }
    }
}
