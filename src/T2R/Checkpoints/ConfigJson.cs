using System.Collections.Immutable;
using System.Text.Json;

namespace T2R.Checkpoints;

/// <summary>
/// A JSON object on disk, such as config.json, read key by key. Every mistake is collected with file and key; keys that nobody asked for are known at the end, so
/// that nothing in the file is passed over in silence.
/// </summary>
public sealed class ConfigJson
{
    private readonly JsonElement _object;
    private readonly Problems _problems;
    private readonly string _prefix;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ConfigJson> _children = new(StringComparer.Ordinal);

    private ConfigJson(string path, string prefix, JsonElement element, Problems problems) =>
        (Path, _prefix, _object, _problems) = (path, prefix, element, problems);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Keys that were in the file and that nobody asked for, nested ones as <c>outer.inner</c>.</summary>
    public IEnumerable<string> UnreadKeys =>
        _object.EnumerateObject().Select(p => p.Name).Where(n => !_asked.Contains(n)).Select(n => _prefix + n).Concat(_children.Values.SelectMany(c => c.UnreadKeys));

    /// <summary>Opens a JSON file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="problems">Receives what later reads find wrong.</param>
    /// <exception cref="UserErrorException">There is no such file, or it is not a JSON object, or it names a key twice.</exception>
    public static ConfigJson Open(string path, Problems problems)
    {
        JsonElement root = InputFile.ReadJson(path);
        return root.ValueKind == JsonValueKind.Object
            ? new ConfigJson(path, string.Empty, root, problems)
            : throw new UserErrorException($"{path}: holds a JSON {root.ValueKind}, expected an object.");
    }

    /// <summary>Whether the key is there and not null.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>Whether the key is there, be it null.</summary>
    public bool Mentions(string key) => _object.TryGetProperty(key, out _);

    /// <summary>A positive whole number.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="fallback">What an absent or null key means; null makes the key required.</param>
    public int Count(string key, int? fallback = null) => Read(key, fallback, "a positive whole number", (JsonElement e, out int value) => e.TryGetInt32(out value) && value > 0);

    /// <summary>A whole number that may be 0.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="fallback">What an absent or null key means.</param>
    public int Id(string key, int fallback) => Read(key, fallback, "a token id", (JsonElement e, out int value) => First(e).TryGetInt32(out value) && value >= 0);

    /// <summary>An id, or several.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="fallback">What an absent or null key means.</param>
    public ImmutableArray<int> Ids(string key, int fallback) =>
        Find(key) is not { } element ? [fallback]
        : TokenIds.In(element) is [_, ..] ids ? ids
        : Wrong<ImmutableArray<int>>(key, element, "a token id, or a list of them", [fallback]);

    /// <summary>A positive number.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="fallback">What an absent or null key means; null makes the key required.</param>
    public double Number(string key, double? fallback = null) => Read(key, fallback, "a positive number", (JsonElement e, out double value) => e.TryGetDouble(out value) && value > 0 && double.IsFinite(value));

    /// <summary>True or false.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="fallback">What an absent or null key means.</param>
    public bool Flag(string key, bool fallback) =>
        Read(key, fallback, "true or false", (JsonElement e, out bool value) => (value = e.ValueKind == JsonValueKind.True) || e.ValueKind == JsonValueKind.False);

    /// <summary>A string.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="fallback">What an absent or null key means; null makes the key required.</param>
    public string Text(string key, string? fallback = null)
    {
        if (Find(key) is not { } element)
        {
            return fallback ?? Missing(key, "a string", string.Empty);
        }

        return element.ValueKind == JsonValueKind.String ? element.GetString()! : Wrong(key, element, "a string", fallback ?? string.Empty);
    }

    /// <summary>A list of whole numbers ≥ 0.</summary>
    /// <param name="key">Its key; absent or null means none.</param>
    public IReadOnlyList<int> Indices(string key) =>
        Find(key) is not { } element ? []
        : element.ValueKind == JsonValueKind.Array && element.EnumerateArray().All(e => e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out int i) && i >= 0)
            ? [.. element.EnumerateArray().Select(e => e.GetInt32())]
            : Wrong<IReadOnlyList<int>>(key, element, "a list of layer numbers", []);

    /// <summary>A list of strings.</summary>
    /// <param name="key">Its key; absent or null means none.</param>
    public IReadOnlyList<string> Texts(string key) =>
        Find(key) is not { } element ? []
        : element.ValueKind == JsonValueKind.Array && element.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String)
            ? [.. element.EnumerateArray().Select(e => e.GetString()!)]
            : Wrong<IReadOnlyList<string>>(key, element, "a list of strings", []);

    /// <summary>A nested object.</summary>
    /// <param name="key">Its key.</param>
    /// <returns>The object, or null when the key is absent or null.</returns>
    public ConfigJson? Nested(string key)
    {
        if (Find(key) is not { } element)
        {
            return null;
        }

        if (element.ValueKind != JsonValueKind.Object)
        {
            return Wrong<ConfigJson?>(key, element, "an object", null);
        }

        if (!_children.TryGetValue(key, out var child))
        {
            child = new ConfigJson(Path, $"{_prefix}{key}.", element, _problems);
            _children.Add(key, child);
        }

        return child;
    }

    /// <summary>Refuses any value but one: for settings that the format has and T2R does not support.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="supported">The only value T2R supports, as JSON; absent and null mean it too.</param>
    public void Only(string key, string supported)
    {
        if (Find(key) is { } element && element.GetRawText() != supported)
        {
            _problems.Add($"{Path}: {_prefix}{key} is {Shown(element)}, which T2R does not support; it supports {supported} alone.");
        }
    }

    /// <summary>Records keys as known and without effect here.</summary>
    /// <param name="keys">The keys.</param>
    public void Pass(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            _asked.Add(key);
        }
    }

    /// <summary>Adds a problem about a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="sentence">What is wrong, after "path: key ".</param>
    public void Refuse(string key, string sentence) => _problems.Add($"{Path}: {_prefix}{key} {sentence}");

    private delegate bool Parse<T>(JsonElement element, out T value);

    private static string Shown(JsonElement element)
    {
        string text = element.GetRawText();
        return text.Length <= 60 ? text : string.Concat(text.AsSpan(0, 60), "…");
    }

    private static JsonElement First(JsonElement element) =>
        element.ValueKind == JsonValueKind.Array && element.GetArrayLength() > 0 ? element[0] : element;

    private JsonElement? Find(string key)
    {
        _asked.Add(key);
        return _object.TryGetProperty(key, out var element) && element.ValueKind != JsonValueKind.Null ? element : null;
    }

    private T Read<T>(string key, T? fallback, string expected, Parse<T> parse)
        where T : struct
    {
        if (Find(key) is not { } element)
        {
            return fallback ?? Missing<T>(key, expected, default);
        }

        bool kindFits = First(element).ValueKind is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False;
        return kindFits && TryParse(element, parse, out T value) ? value : Wrong(key, element, expected, fallback ?? default);
    }

    // The getters of JsonElement throw when the kind does not fit.
    private static bool TryParse<T>(JsonElement element, Parse<T> parse, out T value)
    {
        try
        {
            return parse(element, out value);
        }
        catch (InvalidOperationException)
        {
            value = default!;
            return false;
        }
    }

    private T Missing<T>(string key, string expected, T result)
    {
        _problems.Add($"{Path}: {_prefix}{key} is missing; expected {expected}.");
        return result;
    }

    private T Wrong<T>(string key, JsonElement element, string expected, T result)
    {
        _problems.Add($"{Path}: {_prefix}{key} is {Shown(element)}, expected {expected}.");
        return result;
    }
}
