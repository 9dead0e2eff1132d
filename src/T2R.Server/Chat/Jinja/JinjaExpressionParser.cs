namespace T2R.Server.Chat.Jinja;

/// <summary>Makes a template's expressions, with Jinja's precedence: if, or, and, not, comparisons, sums, ~, products, powers; and below these <see cref="JinjaOperandParser"/>.</summary>
internal sealed class JinjaExpressionParser
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private readonly JinjaTokens _tokens;
    private readonly JinjaOperandParser _operands;
    private int _depth;

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
    public JinjaExpression One()
    {
        if (++_depth > JinjaTemplate.DeepestCall)
        {
            throw new JinjaException($"line {_tokens.Next.Line} has an expression that is nested too deep");
        }

        JinjaExpression value = Or();
        while (_tokens.TakeName("if"))
        {
            JinjaExpression then = value, condition = Or(), otherwise = _tokens.TakeName("else") ? One() : _ => new JinjaUndefined("else");
            value = scope => JinjaValue.IsTrue(condition(scope)) ? then(scope) : otherwise(scope);
        }

        _depth--;
        return value;
    }

    private JinjaExpression Or()
    {
        JinjaExpression left = And();
        while (_tokens.TakeName("or"))
        {
            JinjaExpression a = left, b = And();
            left = scope => a(scope) is var value && JinjaValue.IsTrue(value) ? value : b(scope);
        }

        return left;
    }

    private JinjaExpression And()
    {
        JinjaExpression left = Not();
        while (_tokens.TakeName("and"))
        {
            JinjaExpression a = left, b = Not();
            left = scope => a(scope) is var value && !JinjaValue.IsTrue(value) ? value : b(scope);
        }

        return left;
    }

    private JinjaExpression Not()
    {
        if (_tokens.TakeName("not"))
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
            if (Comparisons.FirstOrDefault(_tokens.IsOperator) is { } comparison)
            {
                _tokens.Take();
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
            else if (_tokens.TakeName("in"))
            {
                rest.Add((JinjaTests.All["in"], Sum()));
            }
            else if (_tokens.TakeName("not"))
            {
                _tokens.ExpectName("in");
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

    private JinjaExpression Power() => Binary(_operands.Sign, "**");

    private JinjaExpression Binary(Func<JinjaExpression> operand, params string[] operators)
    {
        JinjaExpression left = operand();
        while (operators.FirstOrDefault(_tokens.IsOperator) is { } @operator)
        {
            _tokens.Take();
            JinjaExpression a = left, b = operand();
            left = scope => JinjaOperators.Of(@operator, a(scope), b(scope));
        }

        return left;
    }
}
