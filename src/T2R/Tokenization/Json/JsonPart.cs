using System.Text.Json;

namespace T2R.Tokenization.Json;

/// <summary>An object in tokenizer.json, read key by key; what is wrong is collected with its place, and keys that nobody asked for are refused.</summary>
/// <param name="json">The object.</param>
/// <param name="file">The file's path.</param>
/// <param name="place">Where it is in the file, such as <c>model</c>; empty for the whole.</param>
/// <param name="problems">Receives what is wrong.</param>
internal sealed class JsonPart(JsonElement json, string file, string place, Problems problems)
{
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    /// <summary>Its <c>type</c>; empty if it has none.</summary>
    public string Type => Text("type") ?? "";

    /// <summary>A value; null if it is absent or null.</summary>
    public JsonElement? Find(string key)
    {
        _asked.Add(key);
        return json.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>A text; null if it is absent or null.</summary>
    public string? Text(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => Wrong<string>(key, value, "a text"),
    };

    /// <summary>True or false.</summary>
    public bool Flag(string key, bool fallback = false) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True or JsonValueKind.False } value => value.GetBoolean(),
        { } value => Wrong<object>(key, value, "true or false") is not null, // false
    };

    /// <summary>A whole number that is not negative.</summary>
    public int Number(string key, int fallback)
    {
        if (Find(key) is not { } value)
        {
            return fallback;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 0)
        {
            return number;
        }

        Wrong<string>(key, value, "a whole number, 0 or more");
        return fallback;
    }

    /// <summary>An object; null if it is absent or null.</summary>
    public JsonPart? Object(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new JsonPart(value, file, Inner(key), problems),
        { } value => Wrong<JsonPart>(key, value, "an object"),
    };

    /// <summary>A list of objects; empty if it is absent or null.</summary>
    public IReadOnlyList<JsonPart> Objects(string key)
    {
        if (Find(key) is not { } value)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.Object)
            ? [.. value.EnumerateArray().Select((v, i) => new JsonPart(v, file, $"{Inner(key)}[{i}]", problems))]
            : Wrong<JsonPart[]>(key, value, "a list of objects") ?? [];
    }

    /// <summary>What it is made of, first to last: itself, or, if its <c>type</c> is Sequence, the steps of its steps.</summary>
    /// <param name="key">Where a Sequence has them.</param>
    /// <param name="harmless">As <see cref="End"/> takes it, of a Sequence.</param>
    public IEnumerable<JsonPart> Steps(string key, params string[] harmless)
    {
        if (Type != "Sequence")
        {
            yield return this;
            yield break;
        }

        foreach (JsonPart step in Objects(key).SelectMany(part => part.Steps(key, harmless)))
        {
            yield return step;
        }

        End(harmless);
    }

    /// <summary>Adds a problem.</summary>
    /// <param name="sentence">What is wrong, after the place: begins with <c>.key</c> or a space.</param>
    public void Refuse(string sentence) => problems.Add($"{file}: {(place.Length == 0 ? sentence[1..] : place + sentence)}");

    /// <summary>Refuses keys that are here and that nobody asked for: they may mean something.</summary>
    /// <param name="harmless">Keys that mean nothing here.</param>
    public void End(params ReadOnlySpan<string> harmless)
    {
        foreach (JsonProperty property in json.EnumerateObject())
        {
            if (!_asked.Contains(property.Name) && !harmless.Contains(property.Name))
            {
                Refuse($".{property.Name} is {Shown(property.Value)}: T2R does not know this key.");
            }
        }
    }

    private string Inner(string key) => place.Length == 0 ? key : $"{place}.{key}";

    private T? Wrong<T>(string key, JsonElement value, string expected)
        where T : class
    {
        Refuse($".{key} is {Shown(value)}, expected {expected}.");
        return null;
    }

    private static string Shown(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 60 ? text : string.Concat(text.AsSpan(0, 60), "…");
    }
}
