using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>
/// Makes a template's statements: if, for, set, macro, break, continue, raw and generation. Other statements, filters and tests that are not here are refused when the template is read,
/// not when it is rendered.
/// </summary>
internal sealed class JinjaParser
{
    private readonly JinjaTokens _tokens;
    private readonly JinjaExpressionParser _expressions;
    private int _loops;

    private JinjaParser(IReadOnlyList<JinjaToken> tokens)
    {
        _tokens = new JinjaTokens(tokens);
        _expressions = new JinjaExpressionParser(_tokens);
    }

    /// <summary>Reads a template.</summary>
    /// <exception cref="JinjaException">It has a mistake, or something that is not supported.</exception>
    public static JinjaStatement Read(string source)
    {
        var parser = new JinjaParser(JinjaLexer.Read(source));
        return parser.Body(out _);
    }

    // Up to one of these blocks, whose name is taken.
    private JinjaStatement Body(out string end, params string[] ends)
    {
        string found = "";
        JinjaStatement body = _tokens.Inside(() => Statements(out found, ends));
        end = found;
        return body;
    }

    private JinjaStatement Statements(out string end, string[] ends)
    {
        var statements = new List<JinjaStatement>();
        while (true)
        {
            JinjaToken token = _tokens.Take();
            switch (token.Kind)
            {
                case JinjaTokenKind.Data:
                    statements.Add((scope, output) => Write(scope, output, token.Value));
                    break;
                case JinjaTokenKind.OutputBegin:
                    JinjaExpression value = _expressions.Several();
                    _tokens.Expect(JinjaTokenKind.OutputEnd);
                    statements.Add((scope, output) => Write(scope, output, JinjaValue.Text(scope.Budget, value(scope))));
                    break;
                case JinjaTokenKind.BlockBegin:
                    end = _tokens.Expect(JinjaTokenKind.Name).Value;
                    if (ends.Contains(end))
                    {
                        return Sequence(statements);
                    }

                    statements.Add(Block(end, token.Line));
                    break;
                case JinjaTokenKind.End when ends.Length == 0:
                    end = "";
                    return Sequence(statements);
                default:
                    throw new JinjaException($"line {token.Line} ends where {string.Join(" or ", ends)} was expected");
            }
        }
    }

    private static JinjaFlow Write(JinjaScope scope, StringBuilder output, string text)
    {
        scope.Budget.Use(text);
        output.Append(text);
        return JinjaFlow.Next;
    }

    private static JinjaStatement Sequence(List<JinjaStatement> statements) => (scope, output) =>
    {
        foreach (JinjaStatement statement in statements)
        {
            scope.Budget.Step();
            if (statement(scope, output) is var flow && flow != JinjaFlow.Next)
            {
                return flow;
            }
        }

        return JinjaFlow.Next;
    };

    private JinjaStatement Block(string name, int line)
    {
        switch (name)
        {
            case "if":
                return If();
            case "for":
                return For();
            case "set":
                return Set();
            case "macro":
                return Macro();
            case "break" or "continue":
                _tokens.Expect(JinjaTokenKind.BlockEnd);
                if (_loops == 0)
                {
                    throw new JinjaException($"line {line} has '{name}' outside of a loop");
                }

                JinjaFlow flow = name == "break" ? JinjaFlow.Break : JinjaFlow.Continue;
                return (_, _) => flow;
            case "generation":
                _tokens.Expect(JinjaTokenKind.BlockEnd);
                JinjaStatement body = Body(out _, "endgeneration");
                _tokens.Expect(JinjaTokenKind.BlockEnd);
                return body;
            default:
                throw new JinjaException($"line {line} has the statement '{name}', which T2R does not support; it supports if, for, set, macro, break, continue and raw");
        }
    }

    private JinjaStatement If()
    {
        var choices = new List<(JinjaExpression Condition, JinjaStatement Body)>();
        JinjaStatement otherwise = (_, _) => JinjaFlow.Next;
        string end;
        do
        {
            JinjaExpression condition = _expressions.Several();
            _tokens.Expect(JinjaTokenKind.BlockEnd);
            choices.Add((condition, Body(out end, "elif", "else", "endif")));
        }
        while (end == "elif");

        _tokens.Expect(JinjaTokenKind.BlockEnd);
        if (end == "else")
        {
            otherwise = Body(out _, "endif");
            _tokens.Expect(JinjaTokenKind.BlockEnd);
        }

        return (scope, output) =>
        {
            foreach ((JinjaExpression condition, JinjaStatement body) in choices)
            {
                scope.Budget.Step();
                if (JinjaValue.IsTrue(condition(scope)))
                {
                    return body(scope, output);
                }
            }

            return otherwise(scope, output);
        };
    }

    private JinjaStatement For()
    {
        List<string> names = Names();
        _tokens.ExpectName("in");
        JinjaExpression source = _expressions.Several(conditional: false);
        JinjaExpression? filter = _tokens.TakeName("if") ? _expressions.Several() : null;
        _tokens.Expect(JinjaTokenKind.BlockEnd);
        _loops++;
        JinjaStatement body = Body(out string end, "else", "endfor");
        _loops--;
        _tokens.Expect(JinjaTokenKind.BlockEnd);
        JinjaStatement? otherwise = null;
        if (end == "else")
        {
            otherwise = Body(out _, "endfor");
            _tokens.Expect(JinjaTokenKind.BlockEnd);
        }

        return (scope, output) =>
        {
            List<object?> items = JinjaValue.Items(scope.Budget, source(scope));
            items = filter is null ? items : [.. items.Where(item => JinjaValue.IsTrue(filter(Bound(scope, names, item))))];
            for (int i = 0; i < items.Count; i++)
            {
                scope.Budget.Step();
                JinjaScope inner = Bound(scope, names, items[i]);
                inner["loop"] = JinjaLoop.At(items, i);
                if (body(inner, output) == JinjaFlow.Break)
                {
                    break;
                }
            }

            return items.Count == 0 && otherwise is not null ? otherwise(scope, output) : JinjaFlow.Next;
        };
    }

    private JinjaStatement Set()
    {
        List<string> names = Names();
        if (names.Count == 1 && _tokens.TakeOperator("."))
        {
            string member = _tokens.Expect(JinjaTokenKind.Name).Value;
            _tokens.ExpectOperator("=");
            JinjaExpression inside = _expressions.Several();
            _tokens.Expect(JinjaTokenKind.BlockEnd);
            return (scope, _) =>
            {
                JinjaMap map = scope[names[0]] is JinjaMap { IsNamespace: true } space ? space : throw new JinjaException($"'{names[0]}' is no namespace, so nothing in it can be set");
                map[member] = inside(scope);
                return JinjaFlow.Next;
            };
        }

        if (_tokens.TakeOperator("="))
        {
            JinjaExpression value = _expressions.Several();
            _tokens.Expect(JinjaTokenKind.BlockEnd);
            return (scope, _) =>
            {
                Bind(scope, names, value(scope));
                return JinjaFlow.Next;
            };
        }

        _tokens.Expect(JinjaTokenKind.BlockEnd);
        JinjaStatement body = Apart("endset");
        _tokens.Expect(JinjaTokenKind.BlockEnd);
        return (scope, _) =>
        {
            scope[names[0]] = Written(body, new JinjaScope(scope));
            return JinjaFlow.Next;
        };
    }

    private JinjaStatement Macro()
    {
        string name = _tokens.Expect(JinjaTokenKind.Name).Value;
        var parameters = new List<(string Name, JinjaExpression? Default)>();
        _tokens.ExpectOperator("(");
        while (!_tokens.TakeOperator(")"))
        {
            string parameter = _tokens.Expect(JinjaTokenKind.Name).Value;
            parameters.Add((parameter, _tokens.TakeOperator("=") ? _expressions.One() : null));
            _ = _tokens.TakeOperator(",");
        }

        _tokens.Expect(JinjaTokenKind.BlockEnd);
        JinjaStatement body = Apart("endmacro");
        _tokens.Expect(JinjaTokenKind.BlockEnd);
        string[] called = [.. parameters.Select(p => p.Name)];
        JinjaUndefined[] missing = [.. called.Select(c => new JinjaUndefined(c))];
        return (scope, _) =>
        {
            scope[name] = new JinjaCallable($"the macro '{name}'", called, missing, (budget, arguments) =>
            {
                var inner = new JinjaScope(scope);
                for (int i = 0; i < parameters.Count; i++)
                {
                    inner[called[i]] = ReferenceEquals(arguments[i], missing[i]) && parameters[i].Default is { } other ? other(inner) : arguments[i];
                }

                return budget.Macro(name, () => Written(body, inner));
            });
            return JinjaFlow.Next;
        };
    }

    // A body that is written by itself: no loop around it can be left from inside.
    private JinjaStatement Apart(string end)
    {
        (int loops, _loops) = (_loops, 0);
        JinjaStatement body = Body(out _, end);
        _loops = loops;
        return body;
    }

    private List<string> Names()
    {
        bool brackets = _tokens.TakeOperator("(");
        List<string> names = [_tokens.Expect(JinjaTokenKind.Name).Value];
        while (_tokens.TakeOperator(","))
        {
            names.Add(_tokens.Expect(JinjaTokenKind.Name).Value);
        }

        if (brackets)
        {
            _tokens.ExpectOperator(")");
        }

        return names;
    }

    private static JinjaScope Bound(JinjaScope scope, List<string> names, object? value)
    {
        var inner = new JinjaScope(scope);
        Bind(inner, names, value);
        return inner;
    }

    private static void Bind(JinjaScope scope, List<string> names, object? value)
    {
        if (names.Count == 1)
        {
            scope[names[0]] = value;
            return;
        }

        List<object?> values = JinjaValue.Items(scope.Budget, value);
        if (values.Count != names.Count)
        {
            throw new JinjaException($"{values.Count} values are given the names {string.Join(", ", names)}");
        }

        for (int i = 0; i < names.Count; i++)
        {
            scope[names[i]] = values[i];
        }
    }

    private static string Written(JinjaStatement body, JinjaScope scope)
    {
        var output = new StringBuilder();
        body(scope, output);
        return output.ToString();
    }
}
