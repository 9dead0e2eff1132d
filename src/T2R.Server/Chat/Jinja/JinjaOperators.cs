namespace T2R.Server.Chat.Jinja;

/// <summary>Arithmetic, as Python has it; what does not fit 64 bits is refused.</summary>
internal static class JinjaOperators
{
    /// <summary>The value of an operator between two values.</summary>
    public static object? Of(JinjaBudget budget, string @operator, object? a, object? b)
    {
        budget.Step();
        switch (@operator, a, b)
        {
            case ("~", _, _):
                return Joined(budget, JinjaValue.Text(budget, a), JinjaValue.Text(budget, b));
            case ("+", string x, string y):
                return Joined(budget, x, y);
            case ("+", List<object?> x, List<object?> y):
                budget.Use((long)JinjaBudget.Operation * (x.Count + y.Count));
                return new List<object?>([.. x, .. y]);
            case ("*", string x, long y):
                return Repeated(budget, x, y);
            case ("*", long x, string y):
                return Repeated(budget, y, x);
            case ("/", _, _):
                return Number(a, @operator) / NotZero(Number(b, @operator));
            case (_, long or bool, long or bool):
                return Whole(@operator, JinjaValue.Whole(a), JinjaValue.Whole(b));
            default:
                return Real(@operator, Number(a, @operator), Number(b, @operator));
        }
    }

    private static string Joined(JinjaBudget budget, string a, string b)
    {
        budget.Use((long)a.Length + b.Length);
        return a + b;
    }

    private static object Whole(string @operator, long a, long b) => @operator switch
    {
        "+" => (object)checked(a + b),
        "-" => checked(a - b),
        "*" => checked(a * b),
        "//" => (long)Math.Floor((decimal)a / (b != 0 ? b : throw Zero())),
        "%" => Remainder(a, b != 0 ? b : throw Zero()),
        _ => b >= 0 ? (object)Power(a, b) : Math.Pow(a, b),
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

    // Of the divisor's sign.
    private static long Remainder(long a, long b)
    {
        long rest = b == -1 ? 0 : a % b;
        return rest != 0 && rest < 0 != b < 0 ? rest + b : rest;
    }

    private static long Power(long a, long b)
    {
        if (a is 0 or 1 or -1)
        {
            return b == 0 ? 1 : a == -1 && b % 2 == 0 ? 1 : a;
        }

        long power = 1;
        for (; b > 0; b--)
        {
            power = checked(power * a);
        }

        return power;
    }

    private static string Repeated(JinjaBudget budget, string text, long times)
    {
        times = Math.Clamp(times, 0, int.MaxValue);
        budget.Use(times * Math.Max(1, text.Length));
        return string.Concat(Enumerable.Repeat(text, (int)times));
    }

    private static double Number(object? value, string @operator) => JinjaValue.AsNumber(value) ?? throw new JinjaException($"{JinjaValue.Kind(value)} stands beside '{@operator}', where that means nothing");

    private static double NotZero(double value) => value != 0 ? value : throw Zero();

    private static JinjaException Zero() => new("a division by zero");
}
