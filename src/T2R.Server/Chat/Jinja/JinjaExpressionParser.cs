namespace T2R.Server.Chat.Jinja;

/// <summary>Makes a template's expressions, with Jinja's precedence: if, or, and, not, comparisons, sums, ~, products, powers; and below these <see cref="JinjaOperandParser"/>.</summary>
internal sealed class JinjaExpressionParser
{
    private static readonly Dictionary<string, Func<JinjaBudget, object?, object?, bool>> Comparisons = new(StringComparer.Ordinal)
    {
        ["=="] = JinjaValue.AreEqual,
        ["!="] = (budget, a, b) => !JinjaValue.AreEqual(budget, a, b),
        ["<"] = (budget, a, b) => JinjaValue.Compare(budget, a, b) < 0,
        ["<="] = (budget, a, b) => JinjaValue.Compare(budget, a, b) <= 0,
        [">"] = (budget, a, b) => JinjaValue.Compare(budget, a, b) > 0,
        [">="] = (budget, a, b) => JinjaValue.Compare(budget, a, b) >= 0,
    };

    private readonly JinjaTokens _tokens;
    private readonly JinjaOperandParser _operands;

    /// <param name="tokens">Where they are taken from.</param>
    public JinjaExpressionParser(JinjaTokens tokens) => (_tokens, _operands) = (tokens, new JinjaOperandParser(tokens, One));

    /// <summary>One expression, or several with commas between, which are a list.</summary>
    /// <param name="conditional">Whether <c>a if b</c> is one expression; not where an <c>if</c> means something else.</param>
    public JinjaExpression Several(bool conditional = true)
    {
        JinjaExpression first = conditional ? One() : Or();
        if (!_tokens.IsOperator(","))
        {
            return first;
        }

        List<JinjaExpression> all = [first];
        while (_tokens.TakeOperator(",") && _tokens.Next.Kind is not (JinjaTokenKind.BlockEnd or JinjaTokenKind.OutputEnd))
        {
            all.Add(conditional ? One() : Or());
        }

        return JinjaOperandParser.Tuple(all);
    }

    /// <summary>One expression.</summary>
    public JinjaExpression One() => _tokens.Inside(Choice);

    private JinjaExpression Choice()
    {
        JinjaExpression value = Or();
        while (_tokens.TakeName("if"))
        {
            JinjaExpression then = value, condition = Or(), otherwise = _tokens.TakeName("else") ? One() : _ => new JinjaUndefined("else");
            value = scope => Step(scope) && JinjaValue.IsTrue(condition(scope)) ? then(scope) : otherwise(scope);
        }

        return value;
    }

    private JinjaExpression Or()
    {
        JinjaExpression left = And();
        while (_tokens.TakeName("or"))
        {
            JinjaExpression a = left, b = And();
            left = scope => Step(scope) && a(scope) is var value && JinjaValue.IsTrue(value) ? value : b(scope);
        }

        return left;
    }

    private JinjaExpression And()
    {
        JinjaExpression left = Not();
        while (_tokens.TakeName("and"))
        {
            JinjaExpression a = left, b = Not();
            left = scope => Step(scope) && a(scope) is var value && !JinjaValue.IsTrue(value) ? value : b(scope);
        }

        return left;
    }

    private JinjaExpression Not()
    {
        if (_tokens.TakeName("not"))
        {
            JinjaExpression value = _tokens.Inside(Not);
            return scope => !JinjaValue.IsTrue(value(scope));
        }

        return Comparison();
    }

    // a < b < c is a < b and b < c.
    private JinjaExpression Comparison()
    {
        JinjaExpression first = Sum();
        var rest = new List<(Func<JinjaBudget, object?, object?, bool> Test, JinjaExpression Value)>();
        while (true)
        {
            if (Comparisons.Keys.FirstOrDefault(_tokens.IsOperator) is { } comparison)
            {
                _tokens.Take();
                rest.Add((Comparisons[comparison], Sum()));
            }
            else if (_tokens.TakeName("in"))
            {
                rest.Add(((budget, a, b) => JinjaValue.Contains(budget, b, a), Sum()));
            }
            else if (_tokens.TakeName("not"))
            {
                _tokens.ExpectName("in");
                rest.Add(((budget, a, b) => !JinjaValue.Contains(budget, b, a), Sum()));
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
                scope.Budget.Step();
                if (!test(scope.Budget, left, right))
                {
                    return false;
                }

                left = right;
            }

            return true;
        };
    }

    private JinjaExpression Sum() => Binary(() => Binary(() => Binary(Power, "*", "/", "//", "%"), "~"), "+", "-");

    private JinjaExpression Power() => Binary(_operands.Sign, "**");

    private JinjaExpression Binary(Func<JinjaExpression> operand, params string[] operators)
    {
        JinjaExpression left = operand();
        while (operators.FirstOrDefault(_tokens.IsOperator) is { } @operator)
        {
            _tokens.Take();
            JinjaExpression a = left, b = operand();
            left = scope => Step(scope) ? JinjaOperators.Of(scope.Budget, @operator, a(scope), b(scope)) : null;
        }

        return left;
    }

    private static bool Step(JinjaScope scope)
    {
        scope.Budget.Step();
        return true;
    }
}
