using System.Text;

namespace T2R.Data;

/// <summary>Writes a documentation id as a short signature: <c>Join(String, String[])</c>, <c>Item[Int32]</c>, <c>Explicit(Decimal to Int32)</c>.</summary>
/// <param name="names">Writes the types.</param>
/// <param name="id">The member.</param>
/// <param name="methodParameters">The names of a generic method's type parameters, if they are known.</param>
internal sealed class Signature(TypeNames names, DocId id, IReadOnlyList<string> methodParameters)
{
    private readonly IReadOnlyList<string> _typeParameters = names.Parameters(id.Type);
    private readonly IReadOnlyList<string> _methodParameters =
        MethodArity(id.Member) is var arity && methodParameters.Count == arity ? methodParameters : TypeNames.Invented(arity);

    private string _text = "";
    private int _at;

    /// <summary>The signature.</summary>
    public override string ToString()
    {
        if (id.Member.Length == 0)
        {
            return names.Name(id.Type, full: false);
        }

        string arguments = id.Arguments is null ? "" : List(id.Arguments, '\0');
        return id switch
        {
            { Result: not null } => $"{MemberName()}({arguments} to {List(id.Result, '\0')})",
            { Kind: 'M' } => $"{MemberName()}({arguments})",
            { Kind: 'P', Arguments: not null } => $"{MemberName()}[{arguments}]",
            _ => MemberName(),
        };
    }

    private string MemberName()
    {
        string name = id.Member;
        if (name is "#ctor" or "#cctor")
        {
            string type = names.Name(id.Type, full: false);
            return type.Split('<')[0];
        }

        // An explicit implementation carries its interface's name, with # for dots and @ for commas.
        if (name.Contains('#'))
        {
            return List(name.Replace('#', '.').Replace('@', ','), '\0', qualified: true);
        }

        int generic = name.IndexOf("``", StringComparison.Ordinal);
        if (generic >= 0)
        {
            return $"{name[..generic]}<{string.Join(", ", _methodParameters)}>";
        }

        return name.StartsWith("op_", StringComparison.Ordinal) ? name[3..] : name;
    }

    private string List(string text, char close, bool qualified = false)
    {
        (_text, _at) = (text, 0);
        return ReadList(close, qualified);
    }

    private string ReadList(char close, bool qualified = false)
    {
        var list = new StringBuilder();
        while (_at < _text.Length && _text[_at] != close)
        {
            if (_text[_at] == ',')
            {
                _at++;
                list.Append(", ");
                continue;
            }

            int before = _at;
            list.Append(ReadType(qualified));
            if (_at == before)
            {
                list.Append(_text[_at++]); // a closing bracket that nothing opened: the id is malformed, show it as it is
            }
        }

        _at++;
        return list.ToString();
    }

    private string ReadType(bool qualified)
    {
        string name = _text[_at] == '`' ? ReadParameter() : ReadName(qualified);
        while (_at < _text.Length && _text[_at] is not (',' or '}' or ']'))
        {
            switch (_text[_at++])
            {
                case '@':
                    name = $"ref {name}";
                    break;
                case '[':
                    name += $"[{new string(',', ReadList(']').Count(c => c == ','))}]";
                    break;
                case '|' or '!':
                    ReadName(qualified); // a modifier, which C# does not show
                    break;
                case var other:
                    name += other;
                    break;
            }
        }

        return name;
    }

    private string ReadParameter()
    {
        int ticks = _text.AsSpan(_at).IndexOfAnyExcept('`');
        _at += ticks;
        int start = _at;
        while (_at < _text.Length && char.IsAsciiDigit(_text[_at]))
        {
            _at++;
        }

        int index = int.Parse(_text.AsSpan(start, _at - start));
        IReadOnlyList<string> parameters = ticks == 1 ? _typeParameters : _methodParameters;
        return index < parameters.Count ? parameters[index] : $"T{index + 1}";
    }

    private static int MethodArity(string member) =>
        member.IndexOf("``", StringComparison.Ordinal) is var ticks and >= 0 && int.TryParse(member.AsSpan(ticks + 2), out int arity) ? arity : 0;

    // The last name of a dotted name, with the generic names around it: Dictionary<TKey, TValue>.Enumerator; a qualified one keeps the two last: IList.Add.
    private string ReadName(bool qualified)
    {
        var parts = new List<string> { "" };
        while (_at < _text.Length && _text[_at] is not (',' or '}' or '@' or '*' or '[' or ']' or '|' or '!'))
        {
            switch (_text[_at++])
            {
                case '.':
                    parts.Add("");
                    break;
                case '{':
                    parts[^1] += $"<{ReadList('}')}>";
                    break;
                case '`':
                    while (_at < _text.Length && char.IsAsciiDigit(_text[_at]))
                    {
                        _at++;
                    }

                    break;
                case var letter:
                    parts[^1] += letter;
                    break;
            }
        }

        int last = Math.Max(0, parts.Count - (qualified ? 2 : 1));
        int generic = parts.FindIndex(p => p.EndsWith('>'));
        return string.Join('.', parts.Skip(generic >= 0 ? Math.Min(generic, last) : last));
    }
}
