using System.Globalization;

namespace T2R.Server.Chat.Jinja;

/// <summary>Makes a template's expressions, with Jinja's precedence: if, or, and, not, comparisons, sums, ~, products, powers, signs, filters and tests, calls and members.</summary>
/// <param name="tokens">Where they are taken from.</param>
internal sealed class JinjaExpressionParser(JinjaTokens tokens)
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private int _depth;

    /// <summary>One expression, or several with commas between, which are a list.</summary>
    /// <param name="conditional">Whether <c>a if b</c> is one expression; not where an <c>if</c> means something else.</param>
    public JinjaExpression Several(bool conditional = true)
    {
        JinjaExpression first = conditional ? One() : Or();
        if (!tokens.IsOperator(","))
        {
            return first;
        }

        List<JinjaExpression> all = [first];
        while (tokens.TakeOperator(",") && tokens.Next.Kind is not (JinjaTokenKind.BlockEnd or JinjaTokenKind.OutputEnd))
        {
            all.Add(conditional ? One() : Or());
        }

        return Tuple(all);
    }

    /// <summary>One expression.</summary>
    public JinjaExpression One()
    {
        if (++_depth > JinjaTemplate.DeepestCall)
        {
            throw new JinjaException($"line {tokens.Next.Line} has an expression that is nested too deep");
        }

        JinjaExpression value = Or();
        while (tokens.TakeName("if"))
        {
            JinjaExpression then = value, condition = Or(), otherwise = tokens.TakeName("else") ? One() : _ => new JinjaUndefined("else");
            value = scope => JinjaValue.IsTrue(condition(scope)) ? then(scope) : otherwise(scope);
        }

        _depth--;
        return value;
    }

    private JinjaExpression Or()
    {
        JinjaExpression left = And();
        while (tokens.TakeName("or"))
        {
            JinjaExpression a = left, b = And();
            left = scope => a(scope) is var value && JinjaValue.IsTrue(value) ? value : b(scope);
        }

        return left;
    }

    private JinjaExpression And()
    {
        JinjaExpression left = Not();
        while (tokens.TakeName("and"))
        {
            JinjaExpression a = left, b = Not();
            left = scope => a(scope) is var value && !JinjaValue.IsTrue(value) ? value : b(scope);
        }

        return left;
    }

    private JinjaExpression Not()
    {
        if (tokens.TakeName("not"))
        {
            JinjaExpression value = Not();
            return scope => !JinjaValue.IsTrue(value(scope));
        }

        return Comparison();
    }

    // a < b < c is a < b and b < c.
    private JinjaExpression Comparison()
    {
        JinjaExpression first = Sum();
        var rest = new List<(JinjaCallable Test, JinjaExpression Value)>();
        while (true)
        {
            if (Comparisons.FirstOrDefault(tokens.IsOperator) is { } comparison)
            {
                tokens.Take();
                rest.Add((comparison switch
                {
                    "==" => JinjaTests.All["eq"],
                    "!=" => JinjaTests.All["ne"],
                    "<" => JinjaTests.All["lt"],
                    "<=" => JinjaTests.All["le"],
                    ">" => JinjaTests.All["gt"],
                    _ => JinjaTests.All["ge"],
                }, Sum()));
            }
            else if (tokens.TakeName("in"))
            {
                rest.Add((JinjaTests.All["in"], Sum()));
            }
            else if (tokens.TakeName("not"))
            {
                tokens.ExpectName("in");
                rest.Add(((a, _) => !JinjaValue.Contains(a[1], a[0]), Sum()));
            }
            else
            {
                break;
            }
        }

        return rest.Count == 0 ? first : scope =>
        {
            object? left = first(scope);
            foreach (var (test, value) in rest)
            {
                object? right = value(scope);
                if (!JinjaValue.IsTrue(test([left, right], [])))
                {
                    return false;
                }

                left = right;
            }

            return true;
        };
    }

    private JinjaExpression Sum() => Binary(() => Binary(() => Binary(Power, "*", "/", "//", "%"), "~"), "+", "-");

    private JinjaExpression Power() => Binary(Sign, "**");

    private JinjaExpression Binary(Func<JinjaExpression> operand, params string[] operators)
    {
        JinjaExpression left = operand();
        while (operators.FirstOrDefault(tokens.IsOperator) is { } @operator)
        {
            tokens.Take();
            JinjaExpression a = left, b = operand();
            left = scope => JinjaOperators.Of(@operator, a(scope), b(scope));
        }

        return left;
    }

    // A sign binds its operand before filters do: -1|abs is (-1)|abs.
    private JinjaExpression Sign() => Filtered(Signed());

    private JinjaExpression Signed()
    {
        if (tokens.TakeOperator("-"))
        {
            JinjaExpression value = Signed();
            return scope => JinjaOperators.Of("-", 0L, value(scope));
        }

        return tokens.TakeOperator("+") ? Signed() : Members(Primary());
    }

    private JinjaExpression Filtered(JinjaExpression value)
    {
        while (true)
        {
            JinjaExpression inner = value;
            if (tokens.TakeOperator("|"))
            {
                string name = tokens.Expect(JinjaTokenKind.Name).Value;
                JinjaCallable filter = JinjaFilters.All.GetValueOrDefault(name) ?? throw new JinjaException($"line {tokens.Next.Line} has the filter '{name}', which T2R does not have");
                var arguments = tokens.TakeOperator("(") ? Arguments() : _ => ([], []);
                value = scope => arguments(scope) is var (given, named) ? filter([inner(scope), .. given], named) : null;
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
        Func<JinjaScope, (List<object?> Given, JinjaMap Named)> arguments = _ => ([], []);
        if (tokens.TakeOperator("("))
        {
            arguments = Arguments();
        }
        else if (tokens.Next.Kind is JinjaTokenKind.Text or JinjaTokenKind.Whole or JinjaTokenKind.Real
            || tokens.IsOperator("[") || tokens.IsOperator("{")
            || (tokens.Next is { Kind: JinjaTokenKind.Name, Value: not ("and" or "or" or "else" or "is" or "if" or "not" or "in") }))
        {
            JinjaExpression argument = Members(Primary());
            arguments = scope => ([argument(scope)], []);
        }

        return scope => JinjaValue.IsTrue(test([value(scope), .. arguments(scope).Given], [])) != negated;
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

                // A method is found before an entry of that name: getattr comes before getitem.
                value = scope => inner(scope) is var whole && key is string method && JinjaMethods.Of(whole, method) is { } found ? found : JinjaValue.Member(whole, key);
            }
            else if (tokens.TakeOperator("["))
            {
                value = Subscript(inner);
            }
            else if (tokens.TakeOperator("("))
            {
                var arguments = Arguments();
                value = scope => inner(scope) is JinjaCallable callable
                    ? arguments(scope) is var (given, named) ? callable(given, named) : null
                    : throw new JinjaException($"{JinjaValue.Kind(inner(scope))} is called");
            }
            else
            {
                return value;
            }
        }
    }

    private JinjaExpression Subscript(JinjaExpression value)
    {
        JinjaExpression? start = tokens.IsOperator(":") ? null : One(), end = null, step = null;
        if (tokens.TakeOperator("]"))
        {
            return scope => JinjaValue.Member(value(scope), start!(scope));
        }

        tokens.ExpectOperator(":");
        end = tokens.IsOperator(":") || tokens.IsOperator("]") ? null : One();
        if (tokens.TakeOperator(":"))
        {
            step = tokens.IsOperator("]") ? null : One();
        }

        tokens.ExpectOperator("]");
        return scope => JinjaValue.Slice(value(scope), start?.Invoke(scope), end?.Invoke(scope), step?.Invoke(scope));
    }

    // Behind the opening bracket.
    private Func<JinjaScope, (List<object?> Given, JinjaMap Named)> Arguments()
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

        return scope =>
        {
            var map = new JinjaMap();
            named.ForEach(n => map[n.Name] = n.Value(scope));
            return (given.ConvertAll(g => g(scope)), map);
        };
    }

    private JinjaExpression Argument(out string? name)
    {
        name = tokens.Next.Kind == JinjaTokenKind.Name && tokens.IsNamed() ? tokens.Take().Value : null;
        if (name is not null)
        {
            tokens.ExpectOperator("=");
        }

        return One();
    }

    private JinjaExpression Primary()
    {
        JinjaToken token = tokens.Take();
        switch (token.Kind)
        {
            case JinjaTokenKind.Name:
                return Name(token.Value);
            case JinjaTokenKind.Text:
                string text = token.Value;
                while (tokens.Next.Kind == JinjaTokenKind.Text)
                {
                    text += tokens.Take().Value;
                }

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
                return scope => elements.Select(e => e(scope)).ToList();
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

        JinjaExpression first = One();
        if (tokens.TakeOperator(")"))
        {
            return first;
        }

        tokens.ExpectOperator(",");
        return Tuple([first, .. Elements(")")]);
    }

    private static JinjaExpression Tuple(List<JinjaExpression> elements) => scope =>
    {
        var tuple = new JinjaTuple();
        tuple.AddRange(elements.Select(e => e(scope)));
        return tuple;
    };

    private List<JinjaExpression> Elements(string close)
    {
        var elements = new List<JinjaExpression>();
        while (!tokens.TakeOperator(close))
        {
            elements.Add(One());
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
            JinjaExpression key = One();
            tokens.ExpectOperator(":");
            entries.Add((key, One()));
            if (!tokens.IsOperator("}"))
            {
                tokens.ExpectOperator(",");
            }
        }

        return scope =>
        {
            var map = new JinjaMap();
            entries.ForEach(e => map[JinjaValue.Text(e.Key(scope))] = e.Value(scope));
            return map;
        };
    }
}
