using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>
/// A chat template in Jinja (https://jinja.palletsprojects.com), as transformers renders them: the part of the language that chat templates use, with <c>raise_exception</c>,
/// <c>strftime_now</c>, <c>namespace</c> and <c>range</c>. It reads and writes nothing, and changes nothing that it is given.
/// </summary>
internal sealed class JinjaTemplate
{
    /// <summary>What a template writes at most.</summary>
    public const int MostCharacters = 1 << 26;

    /// <summary>How deep expressions and macros may be nested.</summary>
    public const int DeepestCall = 100;

    private const long LongestRange = 100_000;

    private readonly JinjaStatement _body;

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <exception cref="JinjaException">It has a mistake, or something that is not supported.</exception>
    public JinjaTemplate(string source) => _body = JinjaParser.Read(source);

    /// <summary>What <c>strftime_now</c> says.</summary>
    public Func<DateTime> Now { get; init; } = () => DateTime.Now;

    /// <summary>Renders it.</summary>
    /// <param name="values">What its names stand for.</param>
    /// <exception cref="JinjaException">It refuses them, or cannot be rendered with them.</exception>
    public string Render(JinjaMap values)
    {
        var scope = new JinjaScope
        {
            ["raise_exception"] = new JinjaCallable((a, _) => throw new JinjaException(JinjaValue.Text(First(a))) { IsRaised = true }),
            ["strftime_now"] = new JinjaCallable((a, _) => JinjaTime.Format(Now(), JinjaValue.Text(First(a)))),
            ["namespace"] = new JinjaCallable((a, named) => Namespace(First(a) as JinjaMap, named)),
            ["dict"] = new JinjaCallable((_, named) => named),
            ["range"] = new JinjaCallable((a, _) => Range(a)),
        };
        foreach ((string name, object? value) in values)
        {
            scope[name] = value;
        }

        var output = new StringBuilder();
        try
        {
            _body(new JinjaScope(scope), output);
        }
        catch (ArithmeticException e)
        {
            throw new JinjaException($"a number in it is too large ({e.Message})");
        }

        return output.ToString();
    }

    private static object? First(IReadOnlyList<object?> arguments) => arguments.Count > 0 ? arguments[0] : null;

    private static JinjaMap Namespace(JinjaMap? first, JinjaMap named)
    {
        var space = new JinjaMap { IsNamespace = true };
        foreach ((string name, object? value) in (first ?? []).Concat(named))
        {
            space[name] = value;
        }

        return space;
    }

    private static List<object?> Range(IReadOnlyList<object?> arguments)
    {
        long[] numbers = [.. arguments.Select(JinjaValue.Whole)];
        var (start, end, step) = numbers switch
        {
            [var to] => (0, to, 1),
            [var from, var to] => (from, to, 1),
            [var from, var to, var by] when by != 0 => (from, to, by),
            _ => throw new JinjaException("range wants an end, or a start and an end, or these and a step that is not 0"),
        };
        var range = new List<object?>();
        for (long i = start; step > 0 ? i < end : i > end; i += step)
        {
            range.Add(range.Count < LongestRange ? i : throw new JinjaException(string.Create(CultureInfo.InvariantCulture, $"a range has more than {LongestRange} numbers")));
        }

        return range;
    }
}
