using System.Text.RegularExpressions;

namespace T2R.Tokenization.Json;

/// <summary>Reads tokenizer.json's <c>pre_tokenizer</c>: Metaspace; or Split and Digits, then ByteLevel.</summary>
internal sealed class PreTokenizerReader
{
    // GPT-2's (Radford et al. 2019).
    private const string ByteLevelPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly string[] Harmless = ["trim_offsets", "str_rep"];

    private readonly List<TextCutter> _cutters = [];
    private string _prefix = "";
    private bool _firstAlone, _byteLevel;
    private char? _space;
    private int _steps;

    /// <param name="part">Null for none.</param>
    public static PreTokenizer Read(JsonPart? part)
    {
        var reader = new PreTokenizerReader();
        foreach (JsonPart step in part?.Steps("pretokenizers", Harmless) ?? [])
        {
            reader.Add(step);
        }

        return new PreTokenizer { Prefix = reader._prefix, PrefixesFirstAlone = reader._firstAlone, Space = reader._space, IsByteLevel = reader._byteLevel, Cutters = reader._cutters };
    }

    private void Add(JsonPart part)
    {
        if (_byteLevel || _space is not null)
        {
            part.Refuse($".type is '{part.Type}' behind {(_byteLevel ? "ByteLevel" : "Metaspace")}, which T2R supports as the last one alone.");
        }

        switch (part.Type)
        {
            case "Split":
                AddSplit(part);
                break;
            case "Digits":
                _cutters.Add(new TextCutter(SplitPattern.Parse(@"\p{N}"), part.Flag("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous, invert: false));
                break;
            case "ByteLevel":
                AddByteLevel(part);
                break;
            case "Metaspace":
                AddMetaspace(part);
                break;
            default:
                part.Refuse($".type is '{part.Type}', a pre-tokenizer that T2R does not support; it supports Sequence, Split, Digits, ByteLevel and Metaspace.");
                return;
        }

        _steps++;
        part.End(Harmless);
    }

    private void AddSplit(JsonPart part)
    {
        JsonPart? pattern = part.Object("pattern");
        string? text = pattern?.Text("Regex"), literal = pattern?.Text("String"), behavior = part.Text("behavior");
        bool invert = part.Flag("invert");
        if (!Enum.TryParse(behavior, out SplitBehavior known) || !Enum.IsDefined(known))
        {
            part.Refuse($".behavior is '{behavior}'; expected one of {string.Join(", ", Enum.GetNames<SplitBehavior>())}.");
        }

        if (text is null && literal is not { Length: > 0 })
        {
            part.Refuse(".pattern is neither {\"Regex\": …} nor {\"String\": …}.");
            return;
        }

        try
        {
            _cutters.Add(new TextCutter(text is null ? new Regex(Regex.Escape(literal!), RegexOptions.CultureInvariant) : SplitPattern.Parse(text), known, invert));
        }
        catch (FormatException e)
        {
            part.Refuse($".pattern has something that T2R does not support in a regular expression: {e.Message}.");
        }
    }

    private void AddByteLevel(JsonPart part)
    {
        _byteLevel = true;
        if (part.Flag("add_prefix_space", true))
        {
            _prefix = " ";
            if (_steps > 0)
            {
                part.Refuse(".add_prefix_space is true behind another pre-tokenizer, which T2R does not support.");
            }
        }

        if (part.Flag("use_regex", true))
        {
            _cutters.Add(new TextCutter(SplitPattern.Parse(ByteLevelPattern), SplitBehavior.Isolated, invert: false));
        }
    }

    private void AddMetaspace(JsonPart part)
    {
        string space = part.Text("replacement") ?? "", scheme = part.Text("prepend_scheme") ?? "always";
        bool prefixes = part.Flag("add_prefix_space", true);
        if (space.Length != 1 || scheme is not ("always" or "first" or "never"))
        {
            part.Refuse($" has replacement '{space}' and prepend_scheme '{scheme}'; expected one character, and always, first or never.");
            return;
        }

        if (_steps > 0)
        {
            part.Refuse(".type is Metaspace behind another pre-tokenizer, which T2R does not support.");
        }

        _space = space[0];
        _prefix = scheme == "never" || !prefixes ? "" : space;
        _firstAlone = scheme == "first";
        if (part.Flag("split", true))
        {
            _cutters.Add(new TextCutter(new Regex(Regex.Escape(space), RegexOptions.CultureInvariant), SplitBehavior.MergedWithNext, invert: false));
        }
    }
}
