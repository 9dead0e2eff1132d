using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>
/// A chat template in Jinja (https://jinja.palletsprojects.com), as transformers renders them: the part of the language that chat templates use, with <c>raise_exception</c>,
/// <c>strftime_now</c>, <c>namespace</c> and <c>range</c>. It reads and writes nothing, and changes nothing that it is given.
/// </summary>
internal sealed class JinjaTemplate
{
    private const int LongestSource = 1_000_000;
    private const long LongestRange = 100_000;

    private readonly JinjaStatement _body;

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <exception cref="JinjaException">It has a mistake, or something that is not supported.</exception>
    public JinjaTemplate(string source) =>
        _body = source.Length <= LongestSource ? JinjaParser.Read(source) : throw new JinjaException(string.Create(CultureInfo.InvariantCulture, $"it has more than {LongestSource} characters"));

    /// <summary>What <c>strftime_now</c> says.</summary>
    public Func<DateTime> Now { get; init; } = () => DateTime.Now;

    /// <summary>Renders it.</summary>
    /// <param name="values">What its names stand for.</param>
    /// <exception cref="JinjaException">It refuses them, or cannot be rendered with them.</exception>
    public string Render(JinjaMap values)
    {
        var budget = new JinjaBudget(Characters(values));
        var scope = new JinjaScope(budget)
        {
            ["raise_exception"] = new JinjaCallable("'raise_exception'", ["message"], [], (b, a) => throw new JinjaException(JinjaValue.Text(b, a[0])) { IsRaised = true }),
            ["strftime_now"] = new JinjaCallable("'strftime_now'", ["format"], [], (b, a) => JinjaTime.Format(Now(), JinjaValue.Text(b, a[0]))),
            ["namespace"] = new JinjaNamespace(),
            ["range"] = new JinjaCallable("'range'", ["start", "stop", "step"], [null, 1L], (b, a) => a[1] is null ? Range(b, 0, JinjaValue.Whole(a[0]), 1) : Range(b, JinjaValue.Whole(a[0]), JinjaValue.Whole(a[1]), JinjaValue.Whole(a[2]))),
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

    private static long Characters(object? value) => value switch
    {
        string text => text.Length,
        List<object?> list => list.Sum(Characters),
        JinjaMap map => map.Values.Sum(Characters),
        _ => 0,
    };

    private static List<object?> Range(JinjaBudget budget, long start, long end, long step)
    {
        if (step == 0)
        {
            throw new JinjaException("range is called with step 0");
        }

        var range = new List<object?>();
        for (long i = start; step > 0 ? i < end : i > end; i = checked(i + step))
        {
            budget.Use(JinjaBudget.Operation);
            range.Add(range.Count < LongestRange ? i : throw new JinjaException(string.Create(CultureInfo.InvariantCulture, $"a range has more than {LongestRange} numbers")));
        }

        return range;
    }
}
