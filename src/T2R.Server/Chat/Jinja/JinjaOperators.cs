namespace T2R.Server.Chat.Jinja;

/// <summary>Arithmetic, as Python has it.</summary>
internal static class JinjaOperators
{
    /// <summary>The value of an operator between two values.</summary>
    public static object? Of(string @operator, object? a, object? b) => (@operator, a, b) switch
    {
        ("~", _, _) => JinjaValue.Text(a) + JinjaValue.Text(b),
        ("+", string x, string y) => x + y,
        ("+", List<object?> x, List<object?> y) => new List<object?>([.. x, .. y]),
        ("*", string x, long y) => Repeated(x, y),
        ("*", long x, string y) => Repeated(y, x),
        ("/", _, _) => Number(a, @operator) / NotZero(Number(b, @operator)),
        (_, long or bool, long or bool) => Whole(@operator, JinjaValue.Whole(a), JinjaValue.Whole(b)),
        _ => Real(@operator, Number(a, @operator), Number(b, @operator)),
    };

    private static object Whole(string @operator, long a, long b) => @operator switch
    {
        "+" => (object)(a + b),
        "-" => a - b,
        "*" => a * b,
        "//" => (long)Math.Floor((decimal)a / (b != 0 ? b : throw Zero())),
        "%" => b != 0 ? ((a % b) + b) % b : throw Zero(),
        _ => b >= 0 ? (object)(long)Math.Pow(a, b) : Math.Pow(a, b),
    };

    private static double Real(string @operator, double a, double b) => @operator switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "//" => Math.Floor(a / NotZero(b)),
        "%" => a - (b * Math.Floor(a / NotZero(b))),
        _ => Math.Pow(a, b),
    };

    private static string Repeated(string text, long times) => times <= JinjaTemplate.MostCharacters / Math.Max(1, text.Length)
        ? string.Concat(Enumerable.Repeat(text, (int)Math.Max(0, times)))
        : throw new JinjaException($"a text repeated {times} times is too long");

    private static double Number(object? value, string @operator) => JinjaValue.AsNumber(value) ?? throw new JinjaException($"{JinjaValue.Kind(value)} stands beside '{@operator}', where that means nothing");

    private static double NotZero(double value) => value != 0 ? value : throw Zero();

    private static JinjaException Zero() => new("a division by zero");
}
