using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>Makes what a template's operators stand between: literals, names, members, slices, calls, and what signs, filters and tests make of them.</summary>
/// <param name="tokens">Where they are taken from.</param>
/// <param name="one">Makes an expression.</param>
internal sealed class JinjaOperandParser(JinjaTokens tokens, Func<JinjaExpression> one)
{
    /// <summary>An operand with its signs, which bind it before filters do: <c>-1|abs</c> is <c>(-1)|abs</c>.</summary>
    public JinjaExpression Sign() => Filtered(Signed());

    private JinjaExpression Signed()
    {
        if (tokens.TakeOperator("-"))
        {
            JinjaExpression value = tokens.Inside(Signed);
            return scope => JinjaOperators.Of(scope.Budget, "-", 0L, value(scope));
        }

        return tokens.TakeOperator("+") ? tokens.Inside(Signed) : Members(Primary());
    }

    private JinjaExpression Filtered(JinjaExpression value)
    {
        while (true)
        {
            JinjaExpression inner = value;
            if (tokens.TakeOperator("|"))
            {
                JinjaToken name = tokens.Expect(JinjaTokenKind.Name);
                JinjaCallable filter = JinjaFilters.All.GetValueOrDefault(name.Value) ?? throw new JinjaException($"line {name.Line} has the filter '{name.Value}', which T2R does not have");
                JinjaArguments arguments = tokens.TakeOperator("(") ? Arguments() : JinjaArguments.None;
                Check(filter, arguments, name.Line);
                value = scope => Step(scope) ? arguments.Call(filter, inner(scope), scope) : null;
            }
            else if (tokens.TakeName("is"))
            {
                value = Test(inner);
            }
            else if (tokens.IsOperator("(") || tokens.IsOperator(".") || tokens.IsOperator("["))
            {
                value = Members(inner);
            }
            else
            {
                return value;
            }
        }
    }

    private JinjaExpression Test(JinjaExpression value)
    {
        bool negated = tokens.TakeName("not");
        JinjaToken name = tokens.Next.Kind == JinjaTokenKind.Operator ? tokens.Take() : tokens.Expect(JinjaTokenKind.Name);
        JinjaCallable test = JinjaTests.All.GetValueOrDefault(name.Value) ?? throw new JinjaException($"line {name.Line} has the test '{name.Value}', which T2R does not have");
        JinjaArguments arguments = JinjaArguments.None;
        if (tokens.TakeOperator("("))
        {
            arguments = Arguments();
        }
        else if (tokens.Next.Kind is JinjaTokenKind.Text or JinjaTokenKind.Whole or JinjaTokenKind.Real
            || tokens.IsOperator("[") || tokens.IsOperator("{")
            || (tokens.Next is { Kind: JinjaTokenKind.Name, Value: not ("and" or "or" or "else" or "is" or "if" or "not" or "in") }))
        {
            arguments = new JinjaArguments([Members(Primary())], []);
        }

        Check(test, arguments, name.Line);
        return scope => Step(scope) && JinjaValue.IsTrue(arguments.Call(test, value(scope), scope)) != negated;
    }

    private static void Check(JinjaCallable callable, JinjaArguments arguments, int line)
    {
        try
        {
            callable.Check(1 + arguments.Given.Count, arguments.Names);
        }
        catch (JinjaException e)
        {
            throw new JinjaException($"line {line}: {e.Message}");
        }
    }

    private static bool Step(JinjaScope scope)
    {
        scope.Budget.Step();
        return true;
    }

    private JinjaExpression Members(JinjaExpression value)
    {
        while (true)
        {
            JinjaExpression inner = value;
            if (tokens.TakeOperator("."))
            {
                JinjaToken name = tokens.Next.Kind == JinjaTokenKind.Whole ? tokens.Take() : tokens.Expect(JinjaTokenKind.Name);
                object key = name.Kind == JinjaTokenKind.Whole ? Whole(name) : name.Value;

                value = scope => Step(scope) ? Member(scope, inner(scope), key) : null;
            }
            else if (tokens.TakeOperator("["))
            {
                value = Subscript(inner);
            }
            else if (tokens.TakeOperator("("))
            {
                JinjaArguments arguments = Arguments();
                value = scope => Step(scope) ? Called(scope, inner(scope), arguments) : null;
            }
            else
            {
                return value;
            }
        }
    }

    // A method is found before an entry of that name: getattr comes before getitem.
    private static object? Member(JinjaScope scope, object? whole, object key) =>
        key is string method && JinjaMethods.Of(whole, method) is { } found ? found : JinjaValue.Member(scope.Budget, whole, key);

    private static object? Called(JinjaScope scope, object? callee, JinjaArguments arguments) =>
        callee is JinjaCallable callable ? arguments.Call(callable, scope) : throw new JinjaException($"{JinjaValue.Kind(callee)} is called");

    private JinjaExpression Subscript(JinjaExpression value)
    {
        JinjaExpression? start = tokens.IsOperator(":") ? null : one(), end = null, step = null;
        if (tokens.TakeOperator("]"))
        {
            return scope => Step(scope) ? JinjaValue.Member(scope.Budget, value(scope), start!(scope)) : null;
        }

        tokens.ExpectOperator(":");
        end = tokens.IsOperator(":") || tokens.IsOperator("]") ? null : one();
        if (tokens.TakeOperator(":"))
        {
            step = tokens.IsOperator("]") ? null : one();
        }

        tokens.ExpectOperator("]");
        return scope => Step(scope) ? JinjaValue.Slice(scope.Budget, value(scope), start?.Invoke(scope), end?.Invoke(scope), step?.Invoke(scope)) : null;
    }

    // Behind the opening bracket.
    private JinjaArguments Arguments()
    {
        var given = new List<JinjaExpression>();
        var named = new List<(string Name, JinjaExpression Value)>();
        while (!tokens.TakeOperator(")"))
        {
            JinjaExpression value = Argument(out string? name);
            if (name is null)
            {
                given.Add(value);
            }
            else
            {
                named.Add((name, value));
            }

            if (!tokens.IsOperator(")"))
            {
                tokens.ExpectOperator(",");
            }
        }

        return new JinjaArguments(given, named);
    }

    private JinjaExpression Argument(out string? name)
    {
        name = tokens.Next.Kind == JinjaTokenKind.Name && tokens.IsNamed() ? tokens.Take().Value : null;
        if (name is not null)
        {
            tokens.ExpectOperator("=");
        }

        return one();
    }

    private JinjaExpression Primary()
    {
        JinjaToken token = tokens.Take();
        switch (token.Kind)
        {
            case JinjaTokenKind.Name:
                return Name(token.Value);
            case JinjaTokenKind.Text:
                var texts = new StringBuilder(token.Value);
                while (tokens.Next.Kind == JinjaTokenKind.Text)
                {
                    texts.Append(tokens.Take().Value);
                }

                string text = texts.ToString();
                return _ => text;
            case JinjaTokenKind.Whole:
                long whole = Whole(token);
                return _ => whole;
            case JinjaTokenKind.Real:
                double real = double.Parse(token.Value, CultureInfo.InvariantCulture);
                return _ => real;
            case JinjaTokenKind.Operator when token.Value == "(":
                return Bracketed();
            case JinjaTokenKind.Operator when token.Value == "[":
                List<JinjaExpression> elements = Elements("]");
                return scope => Filled([], elements, scope);
            case JinjaTokenKind.Operator when token.Value == "{":
                return Map();
            default:
                throw new JinjaException($"line {token.Line} has {(token.Value.Length > 0 ? $"'{token.Value}'" : $"{token.Kind}")} where an expression was expected");
        }
    }

    private static JinjaExpression Name(string name) => name switch
    {
        "true" or "True" => _ => true,
        "false" or "False" => _ => false,
        "none" or "None" => _ => null,
        _ => scope => scope[name],
    };

    private static long Whole(JinjaToken token) =>
        long.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out long whole) ? whole : throw new JinjaException($"line {token.Line} has a number that is too large");

    private JinjaExpression Bracketed()
    {
        if (tokens.TakeOperator(")"))
        {
            return Tuple([]);
        }

        JinjaExpression first = one();
        if (tokens.TakeOperator(")"))
        {
            return first;
        }

        tokens.ExpectOperator(",");
        return Tuple([first, .. Elements(")")]);
    }

    /// <summary>A list of expressions in round brackets.</summary>
    public static JinjaExpression Tuple(List<JinjaExpression> elements) => scope => Filled(new JinjaTuple(), elements, scope);

    private static List<object?> Filled(List<object?> list, List<JinjaExpression> elements, JinjaScope scope)
    {
        scope.Budget.Use((long)JinjaBudget.Operation * elements.Count);
        list.AddRange(elements.Select(e => e(scope)));
        return list;
    }

    private List<JinjaExpression> Elements(string close)
    {
        var elements = new List<JinjaExpression>();
        while (!tokens.TakeOperator(close))
        {
            elements.Add(one());
            if (!tokens.IsOperator(close))
            {
                tokens.ExpectOperator(",");
            }
        }

        return elements;
    }

    private JinjaExpression Map()
    {
        var entries = new List<(JinjaExpression Key, JinjaExpression Value)>();
        while (!tokens.TakeOperator("}"))
        {
            JinjaExpression key = one();
            tokens.ExpectOperator(":");
            entries.Add((key, one()));
            if (!tokens.IsOperator("}"))
            {
                tokens.ExpectOperator(",");
            }
        }

        return scope =>
        {
            var map = new JinjaMap();
            scope.Budget.Use((long)JinjaBudget.Operation * entries.Count);
            entries.ForEach(e => map[JinjaValue.Text(scope.Budget, e.Key(scope))] = e.Value(scope));
            return map;
        };
    }
}
