using System.CommandLine;
using System.CommandLine.Parsing;

namespace T2R.Cli;

/// <summary>
/// What is wrong with a command line, all of it, with the nearest name where one is unknown. The parser alone takes a mistyped option for an argument
/// and then complains of what follows.
/// </summary>
internal static class ParseMistakes
{
    public static IReadOnlyList<string> Of(ParseResult parsed)
    {
        // Asking for help excuses every mistake but this one, as there is no such help.
        if (parsed.CommandResult.Command is RootCommand root && parsed.UnmatchedTokens is [var word, ..] && !LooksLikeOption(word))
        {
            return [$"'{word}' is not a verb of t2r{Suggest(word, root.Subcommands.Select(c => c.Name), "t2r has: ")}"];
        }

        if (parsed.Action is HelpWithExamples)
        {
            return [];
        }

        string path = PathOf(parsed);
        HashSet<string> strays = [.. StrayOptions(parsed)];
        return
        [
            .. strays.Select(s => $"'{s}' is not an option of `{path}`{Suggest(s.Split('=')[0], OptionNames(parsed), "its options: ")}"),
            .. parsed.UnmatchedTokens.Where(t => !strays.Contains(t)).Select(t => $"'{t}' is one argument too many for `{path}`"),

            // The parser's own sentences, but for those about the words above.
            .. parsed.Errors.Where(e => !parsed.UnmatchedTokens.Any(t => e.Message.Contains($"'{t}'", StringComparison.Ordinal))).Select(e => e.Message.TrimEnd('.')),
        ];
    }

    /// <summary>The command as the user would write it: <c>t2r doctor</c>, <c>t2r bench gsa</c>.</summary>
    public static string PathOf(ParseResult parsed)
    {
        var words = new Stack<string>();
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult { Command: not RootCommand } command; at = command.Parent)
        {
            words.Push(command.Command.Name);
        }

        return string.Join(' ', words.Prepend("t2r"));
    }

    // A word like an option that was taken as an argument's value or left over; what is an option's value is the user's business.
    private static IEnumerable<string> StrayOptions(ParseResult parsed) =>
        parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).Select(t => t.Value)
            .Concat(parsed.UnmatchedTokens)
            .Where(LooksLikeOption)
            .Distinct();

    private static bool LooksLikeOption(string word) => word is ['-', not (>= '0' and <= '9' or '.'), ..];

    private static IEnumerable<string> OptionNames(ParseResult parsed) =>
        parsed.CommandResult.Command.Options.Concat(parsed.RootCommandResult.Command.Options.Where(o => o.Recursive)).Where(o => !o.Hidden).Select(o => o.Name).Distinct();

    private static string Suggest(string given, IEnumerable<string> known, string otherwise) =>
        NearestName.Of(given, known) is { } near ? $"; did you mean '{near}'?" : $"; {otherwise}{string.Join(", ", known)}";
}
