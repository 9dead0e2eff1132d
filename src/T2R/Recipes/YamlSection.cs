using System.Globalization;
using T2R.Models;
using YamlDotNet.RepresentationModel;
using static TorchSharp.torch;

namespace T2R.Recipes;

/// <summary>
/// A mapping of a recipe, read key by key. Every mistake is collected with file, line and key; keys that nobody asked for are mistakes too, and the nearest known
/// key is named.
/// </summary>
internal sealed class YamlSection(RecipeSource source, string prefix, YamlMappingNode mapping)
{
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    /// <summary>Whether the key is there and not null.</summary>
    public bool Has(string key) => Find(key) is not null;

    public string Text(string key, string? fallback = null) =>
        Find(key) is not { } node ? fallback ?? Missing(key, "a text", string.Empty)
        : node is YamlScalarNode { Value: { } text } ? text
        : Wrong(key, node, $"a text{source.HowToQuote(node).TrimEnd('.')}", fallback ?? string.Empty);

    public string? OptionalText(string key) => Has(key) ? Text(key) : null;

    /// <summary>A path, resolved; null when absent.</summary>
    public string? Location(string key) => OptionalText(key) is { } text ? source.Resolve(text, Find(key)!) : null;

    /// <summary>A list of paths, resolved.</summary>
    public IReadOnlyList<string> Locations(string key) =>
        Find(key) is YamlSequenceNode list && list.All(n => n is YamlScalarNode)
            ? [.. list.Cast<YamlScalarNode>().Select(n => source.Resolve(n.Value ?? string.Empty, n))]
            : [.. Texts(key).Select(t => source.Resolve(t, Find(key)!))];

    /// <summary>One of some words.</summary>
    public T Choice<T>(string key, T fallback)
        where T : struct, Enum
    {
        if (Find(key) is not { } node)
        {
            return fallback;
        }

        var choices = Enum.GetValues<T>().ToDictionary(RecipeWord.Of, v => v);
        return node is YamlScalarNode { Value: { } text } && choices.TryGetValue(text, out T value)
            ? value
            : Wrong(key, node, $"one of {string.Join(", ", choices.Keys)}", fallback);
    }

    /// <summary>A dtype by either of its names; null for <c>auto</c>, or when absent.</summary>
    public ScalarType? Dtype(string key)
    {
        if (Find(key) is not { } node || node is YamlScalarNode { Value: "auto" })
        {
            return null;
        }

        try
        {
            return DtypeName.Parse(Text(key));
        }
        catch (UserErrorException)
        {
            return Wrong<ScalarType?>(key, node, $"auto or one of {string.Join(", ", DtypeName.ShortNames)}", null);
        }
    }

    /// <summary>A whole number; underscores and an exponent are allowed: 1_000_000, 1e6.</summary>
    public long Whole(string key, long? fallback = null, long least = 0, long most = long.MaxValue)
    {
        if (Find(key) is not { } node)
        {
            return fallback ?? Missing(key, "a whole number", least);
        }

        return TryWhole(node, least, most, out long number)
            ? number
            : Wrong(key, node, most == long.MaxValue ? $"a whole number of at least {least}" : $"a whole number from {least} to {most}", fallback ?? least);
    }

    /// <summary>A list of whole numbers, written as <see cref="Whole"/> takes them; empty when absent.</summary>
    public IReadOnlyList<long> Wholes(string key, long least)
    {
        var numbers = new List<long>();
        if (Find(key) is not { } node)
        {
            return numbers;
        }

        foreach (var item in node is YamlSequenceNode list ? list.Children : [node])
        {
            if (!TryWhole(item, least, long.MaxValue, out long number))
            {
                return Wrong<IReadOnlyList<long>>(key, item, $"a list of whole numbers of at least {least}", []);
            }

            numbers.Add(number);
        }

        return numbers;
    }

    public int Count(string key, int? fallback = null, int least = 1) => (int)Whole(key, fallback, least, int.MaxValue);

    public int? OptionalCount(string key) => Has(key) ? Count(key) : null;

    public double Number(string key, double? fallback = null, double least = 0, double most = double.MaxValue)
    {
        if (Find(key) is not { } node)
        {
            return fallback ?? Missing(key, "a number", least);
        }

        return TryNumber(node, out double number) && number >= least && number <= most
            ? number
            : Wrong(key, node, most == double.MaxValue ? $"a number of at least {Shown(least)}" : $"a number from {Shown(least)} to {Shown(most)}", fallback ?? least);
    }

    public bool Flag(string key, bool fallback) =>
        Find(key) is not { } node ? fallback
        : node is YamlScalarNode { Value: "true" or "false" } scalar ? scalar.Value == "true"
        : Wrong(key, node, "true or false", fallback);

    /// <summary>A list of texts; a single text is a list of one.</summary>
    public IReadOnlyList<string> Texts(string key) =>
        Find(key) switch
        {
            null => [],
            YamlScalarNode { Value: { } text } => [text],
            YamlSequenceNode list when list.All(n => n is YamlScalarNode) => [.. list.Cast<YamlScalarNode>().Select(n => n.Value ?? string.Empty)],
            var node => Wrong<IReadOnlyList<string>>(key, node, "a list of texts", []),
        };

    public IReadOnlyList<int> Indices(string key)
    {
        var texts = Texts(key);
        int[] indices = [.. texts.Select(t => int.TryParse(t, NumberStyles.None, CultureInfo.InvariantCulture, out int i) ? i : -1)];
        return indices.Contains(-1) ? Wrong<IReadOnlyList<int>>(key, Find(key)!, "a list of layer numbers, counted from 0", []) : indices;
    }

    /// <summary>A nested mapping; null when absent.</summary>
    public YamlSection? Section(string key) =>
        Find(key) switch
        {
            null => null,
            YamlMappingNode inner => new YamlSection(source, $"{prefix}{key}.", inner),
            var node => Wrong<YamlSection?>(key, node, "a mapping (key: value lines)", null),
        };

    /// <summary>A list of mappings.</summary>
    public IReadOnlyList<YamlSection> Sections(string key) =>
        Find(key) switch
        {
            null => [],
            YamlSequenceNode list when list.All(n => n is YamlMappingNode) =>
                [.. list.Cast<YamlMappingNode>().Select((m, i) => new YamlSection(source, $"{prefix}{key}[{i}].", m))],
            var node => Wrong<IReadOnlyList<YamlSection>>(key, node, "a list of mappings", []),
        };

    /// <summary>Adds a problem about a key.</summary>
    public void Refuse(string key, string sentence) =>
        source.Problems.Add($"{source.Place(mapping.Children.TryGetValue(new YamlScalarNode(key), out var node) ? node : mapping)}: {prefix}{key} {sentence}");

    /// <summary>Call when every key has been asked for: the others are mistakes.</summary>
    public void RefuseTheRest()
    {
        foreach (var key in mapping.Children.Keys)
        {
            string name = key is YamlScalarNode { Value: { } text } ? text : key.ToString();
            if (!_asked.Contains(name))
            {
                source.Problems.Add($"{source.Place(key)}: unknown key {prefix}{name}; {Hint(name)}");
            }
        }

        foreach (string key in _asked)
        {
            source.Known.Add(prefix + key);
        }
    }

    // A key of that very name in another section is more likely than a like one here.
    private string Hint(string name)
    {
        string[] elsewhere = RecipeKeys.Named(name);
        return elsewhere.Length > 0 ? Meant(elsewhere)
            : NearestName.Of(name, _asked) is { } nearest ? Meant([prefix + nearest])
            : RecipeKeys.Near(name) is { Length: > 0 } near ? Meant(near)
            : $"known here: {string.Join(", ", _asked.Order(StringComparer.Ordinal))}.";

        static string Meant(string[] keys) => $"did you mean {string.Join(" or ", keys)}?";
    }

    private static string Shown(double number) => number.ToString("R", CultureInfo.InvariantCulture);

    // decimal holds every long exactly, which double does not.
    private static bool TryWhole(YamlNode node, long least, long most, out long number)
    {
        number = 0;
        if (node is YamlScalarNode { Value: { } text }
            && decimal.TryParse(text.Replace("_", string.Empty, StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal exact)
            && decimal.IsInteger(exact) && exact >= least && exact <= most)
        {
            number = (long)exact;
            return true;
        }

        return false;
    }

    private static bool TryNumber(YamlNode node, out double number)
    {
        number = 0;
        return node is YamlScalarNode { Value: { } text }
            && double.TryParse(text.Replace("_", string.Empty, StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out number)
            && double.IsFinite(number);
    }

    private YamlNode? Find(string key)
    {
        _asked.Add(key);
        return mapping.Children.TryGetValue(new YamlScalarNode(key), out var node) && node is not YamlScalarNode { Value: null or "" or "null" or "~" } ? node : null;
    }

    private T Missing<T>(string key, string expected, T result)
    {
        source.Problems.Add($"{source.Place(mapping)}: {prefix}{key} is missing; expected {expected}.");
        return result;
    }

    private T Wrong<T>(string key, YamlNode node, string expected, T result)
    {
        source.Problems.Add($"{source.Place(node)}: {prefix}{key} is {(node is YamlScalarNode s ? $"'{s.Value}'" : "a list or mapping")}, expected {expected}.");
        return result;
    }
}
