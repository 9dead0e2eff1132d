using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>
/// Cuts a template into tokens, with <c>trim_blocks</c> and <c>lstrip_blocks</c>, as transformers renders chat templates: the line feed behind a block goes, and so does the white space
/// before a block that begins its line.
/// </summary>
internal sealed class JinjaLexer
{
    private static readonly string[] Operators = ["**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{", "}", "<", ">", "=", ".", ",", ":", "|"];

    private readonly string _source;
    private readonly List<JinjaToken> _tokens = [];
    private int _at;
    private bool _trimsNext;
    private int _line = 1, _counted;

    private JinjaLexer(string source)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        _source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <summary>Cuts a template.</summary>
    /// <exception cref="JinjaException">It has something that is no token.</exception>
    public static IReadOnlyList<JinjaToken> Read(string source)
    {
        var lexer = new JinjaLexer(source);
        lexer.Run();
        return lexer._tokens;
    }

    // Tokens come in order, so that each line feed is counted once.
    private int Line
    {
        get
        {
            int at = Math.Min(_at, _source.Length);
            _line += at > _counted ? _source.AsSpan(_counted, at - _counted).Count('\n') : 0;
            _counted = Math.Max(_counted, at);
            return _line;
        }
    }

    private void Run()
    {
        while (_at < _source.Length)
        {
            int tag = NextTag();
            Data(tag);
            if (tag == _source.Length)
            {
                break;
            }

            _at = tag + 2;
            char kind = _source[tag + 1];
            _at += _at < _source.Length && _source[_at] is '-' or '+' ? 1 : 0;
            if (kind == '#')
            {
                Comment();
            }
            else if (kind == '%' && Raw())
            {
                continue;
            }
            else
            {
                Add(kind == '%' ? JinjaTokenKind.BlockBegin : JinjaTokenKind.OutputBegin, "");
                Inside(kind == '%' ? "%}" : "}}", kind == '%');
            }
        }

        Add(JinjaTokenKind.End, "");
    }

    private int NextTag()
    {
        for (int i = _at; i + 1 < _source.Length; i++)
        {
            if (_source[i] == '{' && _source[i + 1] is '%' or '{' or '#')
            {
                return i;
            }
        }

        return _source.Length;
    }

    private void Data(int end)
    {
        string text = _source[_at..end];
        if (_trimsNext)
        {
            text = text.TrimStart();
            _trimsNext = false;
        }

        char kind = end < _source.Length ? _source[end + 1] : ' ', sign = end + 2 < _source.Length ? _source[end + 2] : ' ';
        if (end < _source.Length && sign == '-')
        {
            text = text.TrimEnd();
        }
        else if (kind is '%' or '#' && sign != '+')
        {
            int line = text.LastIndexOf('\n') + 1;
            bool begins = line > 0 || _at == 0 || (_at > 0 && _source[_at - 1] == '\n');
            if (begins && text.AsSpan(line).Trim(" \t\f\v").IsEmpty)
            {
                text = text[..line];
            }
        }

        if (text.Length > 0)
        {
            Add(JinjaTokenKind.Data, text);
        }
    }

    private void Comment()
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw Wrong("a comment that does not end");
        }

        _at = end + 2;
        Close(_source[end - 1], trimsLine: true);
    }

    // {% raw %} … {% endraw %}: what is between is text.
    private bool Raw()
    {
        if (Tag("raw", _at) is not { } begin)
        {
            return false;
        }

        for (int i = begin.End; i < _source.Length; i++)
        {
            if (_source.AsSpan(i).StartsWith("{%"))
            {
                int inside = i + 2 < _source.Length && _source[i + 2] is '-' or '+' ? i + 3 : i + 2;
                if (Tag("endraw", inside) is { } end)
                {
                    _at = begin.End;
                    Close(begin.Sign, trimsLine: false);
                    Data(i);
                    _at = end.End;
                    Close(end.Sign, trimsLine: true);
                    return true;
                }
            }
        }

        throw Wrong("a raw block that does not end");
    }

    private (int End, char Sign)? Tag(string name, int at)
    {
        while (at < _source.Length && char.IsWhiteSpace(_source[at]))
        {
            at++;
        }

        if (!_source.AsSpan(at).StartsWith(name))
        {
            return null;
        }

        at += name.Length;
        while (at < _source.Length && char.IsWhiteSpace(_source[at]))
        {
            at++;
        }

        char sign = at < _source.Length && _source[at] is '-' or '+' ? _source[at++] : ' ';
        return _source.AsSpan(at).StartsWith("%}") ? (at + 2, sign) : null;
    }

    // What becomes of the white space behind a tag.
    private void Close(char sign, bool trimsLine)
    {
        _trimsNext = sign == '-';
        if (!_trimsNext && sign != '+' && trimsLine && _at < _source.Length && _source[_at] == '\n')
        {
            _at++;
        }
    }

    private void Inside(string close, bool isBlock)
    {
        int depth = 0;
        while (true)
        {
            while (_at < _source.Length && char.IsWhiteSpace(_source[_at]))
            {
                _at++;
            }

            if (_at >= _source.Length)
            {
                throw Wrong($"a tag that does not end with '{close}'");
            }

            ReadOnlySpan<char> rest = _source.AsSpan(_at);
            bool signed = rest[0] is '-' or '+' && rest[1..].StartsWith(close);
            if (signed || (rest.StartsWith(close) && depth == 0))
            {
                _at += close.Length + (signed ? 1 : 0);
                Add(isBlock ? JinjaTokenKind.BlockEnd : JinjaTokenKind.OutputEnd, "");
                Close(signed ? rest[0] : ' ', isBlock);
                return;
            }

            depth += rest[0] is '{' or '(' or '[' ? 1 : rest[0] is '}' or ')' or ']' ? -1 : 0;
            Next(rest);
        }
    }

    private void Next(ReadOnlySpan<char> rest)
    {
        char c = rest[0];
        if (c is '"' or '\'')
        {
            Text(c);
        }
        else if (char.IsAsciiDigit(c))
        {
            Number(rest);
        }
        else if (char.IsLetter(c) || c == '_')
        {
            int length = 1;
            while (length < rest.Length && (char.IsLetterOrDigit(rest[length]) || rest[length] == '_'))
            {
                length++;
            }

            Add(JinjaTokenKind.Name, rest[..length].ToString());
            _at += length;
        }
        else
        {
            string @operator = Operators.FirstOrDefault(o => _source.AsSpan(_at).StartsWith(o)) ?? throw Wrong($"'{c}'");
            Add(JinjaTokenKind.Operator, @operator);
            _at += @operator.Length;
        }
    }

    private void Number(ReadOnlySpan<char> rest)
    {
        int length = Digits(rest, 0);
        bool real = length + 1 < rest.Length && rest[length] == '.' && char.IsAsciiDigit(rest[length + 1]);
        length = real ? Digits(rest, length + 1) : length;
        if (length < rest.Length && rest[length] is 'e' or 'E')
        {
            int exponent = length + 1 < rest.Length && rest[length + 1] is '+' or '-' ? length + 2 : length + 1;
            if (exponent < rest.Length && char.IsAsciiDigit(rest[exponent]))
            {
                (real, length) = (true, Digits(rest, exponent));
            }
        }

        Add(real ? JinjaTokenKind.Real : JinjaTokenKind.Whole, rest[..length].ToString().Replace("_", "", StringComparison.Ordinal));
        _at += length;
    }

    private static int Digits(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] == '_'))
        {
            at++;
        }

        return at;
    }

    private void Text(char quote)
    {
        var text = new StringBuilder();
        int i = _at + 1;
        for (; i < _source.Length && _source[i] != quote; i++)
        {
            if (_source[i] != '\\' || i + 1 == _source.Length)
            {
                text.Append(_source[i]);
                continue;
            }

            char escaped = _source[++i];
            int digits = escaped switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            if (digits > 0 && i + digits < _source.Length && int.TryParse(_source.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code) && Rune.IsValid(code))
            {
                text.Append(new Rune(code));
                i += digits;
            }
            else
            {
                text.Append(escaped switch { 'n' => "\n", 't' => "\t", 'r' => "\r", 'f' => "\f", 'v' => "\v", 'b' => "\b", 'a' => "\a", '0' => "\0", '\n' => "", '\\' or '\'' or '"' => escaped.ToString(), _ => $"\\{escaped}" });
            }
        }

        if (i >= _source.Length)
        {
            throw Wrong("a string that does not end");
        }

        Add(JinjaTokenKind.Text, text.ToString());
        _at = i + 1;
    }

    private void Add(JinjaTokenKind kind, string value) => _tokens.Add(new JinjaToken(kind, value, Line));

    private JinjaException Wrong(string what) => new($"line {Line} has {what}");
}
