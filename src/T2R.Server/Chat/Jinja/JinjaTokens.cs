namespace T2R.Server.Chat.Jinja;

/// <summary>A template's tokens, taken one by one.</summary>
/// <param name="tokens">The tokens; the last one ends them.</param>
internal sealed class JinjaTokens(IReadOnlyList<JinjaToken> tokens)
{
    private const int DeepestNesting = 100;

    private int _at, _depth;

    /// <summary>The next one.</summary>
    public JinjaToken Next => tokens[_at];

    /// <summary>Takes the next one; the last stays.</summary>
    public JinjaToken Take() => tokens[_at == tokens.Count - 1 ? _at : _at++];

    /// <summary>Takes one of a kind.</summary>
    public JinjaToken Expect(JinjaTokenKind kind) => Next.Kind == kind ? Take() : throw Wrong(kind switch
    {
        JinjaTokenKind.BlockEnd => "'%}'",
        JinjaTokenKind.OutputEnd => "'}}'",
        _ => "a name",
    });

    /// <summary>Takes an operator if it is the next.</summary>
    public bool TakeOperator(string value) => TakeIf(JinjaTokenKind.Operator, value);

    /// <summary>Takes an operator.</summary>
    public void ExpectOperator(string value) => _ = TakeOperator(value) ? true : throw Wrong($"'{value}'");

    /// <summary>Takes a name if it is the next.</summary>
    public bool TakeName(string value) => TakeIf(JinjaTokenKind.Name, value);

    /// <summary>Takes a name.</summary>
    public void ExpectName(string value) => _ = TakeName(value) ? true : throw Wrong($"'{value}'");

    /// <summary>Whether the next is a name.</summary>
    public bool IsName(string value) => Next is { Kind: JinjaTokenKind.Name } name && name.Value == value;

    /// <summary>Whether the next is an operator.</summary>
    public bool IsOperator(string value) => Next is { Kind: JinjaTokenKind.Operator } found && found.Value == value;

    /// <summary>Whether the next is the name of an argument: an equals sign is behind it.</summary>
    public bool IsNamed() => _at + 1 < tokens.Count && tokens[_at + 1] is { Kind: JinjaTokenKind.Operator, Value: "=" };

    /// <summary>Reads what stands inside of something else.</summary>
    /// <exception cref="JinjaException">That is inside too many others.</exception>
    public T Inside<T>(Func<T> read)
    {
        if (++_depth > DeepestNesting)
        {
            throw new JinjaException($"line {Next.Line} has something that is nested too deep");
        }

        T inner = read();
        _depth--;
        return inner;
    }

    /// <summary>That something else was expected.</summary>
    public JinjaException Wrong(string expected) => new($"line {Next.Line} has {(Next.Value.Length > 0 ? $"'{Next.Value}'" : $"{Next.Kind}")} where {expected} was expected");

    private bool TakeIf(JinjaTokenKind kind, string value)
    {
        bool fits = Next.Kind == kind && Next.Value == value;
        _at += fits ? 1 : 0;
        return fits;
    }
}
