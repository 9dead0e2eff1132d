using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace T2R.Data;

/// <summary>
/// Flattens documentation tags into plain lines, one paragraph a line: references become names, list items lines that begin with a dash, code of several
/// lines stays as it is between fences, white space is collapsed.
/// </summary>
/// <param name="names">Writes the types that are referred to.</param>
/// <param name="type">The encoded name of the type that the text belongs to; its members are referred to without its name.</param>
internal sealed class DocText(TypeNames names, string type)
{
    private readonly List<string> _lines = [];
    private readonly StringBuilder _line = new();

    /// <summary>The lines of an element; none is empty unless it lies within code.</summary>
    public IReadOnlyList<string> Lines(XElement element)
    {
        _lines.Clear();
        _line.Clear();
        Children(element);
        EndLine();
        return [.. _lines];
    }

    private void Children(XElement element)
    {
        foreach (XNode node in element.Nodes())
        {
            if (node is XText text)
            {
                Append(text.Value);
            }
            else if (node is XElement child)
            {
                Element(child);
            }
        }
    }

    private void Element(XElement element)
    {
        switch (element.Name.LocalName)
        {
            case "see" or "seealso" or "xref":
                Reference(element);
                break;
            case "paramref" or "typeparamref":
                Word((string?)element.Attribute("name") ?? "");
                break;
            case "code" when element.Value.Trim().Contains('\n'):
                Code(element.Value);
                break;
            case "para" or "p" or "div":
                EndLine();
                Children(element);
                EndLine();
                break;
            case "br":
                EndLine();
                break;
            case "item" or "li" or "listheader":
                Item(element);
                break;
            case "inheritdoc":
                break;
            default:
                Children(element);
                break;
        }
    }

    private void Item(XElement element)
    {
        EndLine();
        if (element.Name.LocalName == "listheader")
        {
            return; // the titles of columns, of which a plain list has none
        }

        _line.Append("- ");
        foreach (XNode node in element.Nodes())
        {
            bool first = _line.Length == 2;
            switch (node)
            {
                case XText text:
                    Append(text.Value);
                    break;
                case XElement { Name.LocalName: "term" or "description" } part when part.Value.Length > 0 || part.HasElements:
                    TrimLine();
                    _line.Append(first ? "" : ": ");
                    Children(part);
                    break;
                case XElement child:
                    Element(child);
                    break;
            }
        }

        EndLine();
    }

    private void Reference(XElement element)
    {
        if (element.Nodes().Any())
        {
            Children(element);
            return;
        }

        string? id = (string?)element.Attribute("cref");
        string? plain = (string?)(element.Attribute("langword") ?? element.Attribute("langref") ?? element.Attribute("name") ?? element.Attribute("href"));
        string? uid = (string?)element.Attribute("uid");
        Word(id is not null ? Referred(DocId.Parse(id)) : plain ?? (uid is null ? "" : Referred(DocId.Parse(Guessed(uid)))));
    }

    // An xref does not say what kind of thing it names: with parentheses it is a method, else what stands last is the name to show.
    private static string Guessed(string uid)
    {
        string bare = Uri.UnescapeDataString(uid.Split('?')[0]).TrimEnd('*');
        return bare.Contains('(') ? $"M:{bare}" : $"T:{bare}";
    }

    private string Referred(DocId id)
    {
        if (id.Kind is 'N' or '!')
        {
            return id.Type;
        }

        string signature = new Signature(names, id, []).ToString();
        bool elsewhere = id.Member.Length > 0 && id.Type != type && id.Member != "#ctor";
        return elsewhere ? $"{names.Name(id.Type, full: false)}.{signature}" : signature;
    }

    private void Code(string code)
    {
        EndLine();
        string[] lines = code.ReplaceLineEndings("\n").Trim('\n').TrimEnd().Split('\n');
        int indent = lines.Where(l => l.Trim().Length > 0).Min(l => l.Length - l.TrimStart().Length);
        _lines.Add("```");
        _lines.AddRange(lines.Select(l => l.Length > indent ? l[indent..].TrimEnd() : ""));
        _lines.Add("```");
    }

    private void Word(string word) => _line.Append(word);

    private void Append(string text)
    {
        for (int at = 0; at < text.Length; at++)
        {
            if (!XmlConvert.IsWhitespaceChar(text[at]))
            {
                _line.Append(text[at]);
                continue;
            }

            // A blank line within a text ends a paragraph.
            int breaks = 0;
            for (; at < text.Length && XmlConvert.IsWhitespaceChar(text[at]); at++)
            {
                breaks += text[at] == '\n' ? 1 : 0;
            }

            at--;
            if (breaks > 1)
            {
                EndLine();
            }
            else if (_line.Length > 0 && _line[^1] != ' ')
            {
                _line.Append(' ');
            }
        }
    }

    private void TrimLine()
    {
        while (_line.Length > 2 && _line[^1] == ' ')
        {
            _line.Length--;
        }
    }

    private void EndLine()
    {
        string line = _line.ToString().Trim();
        _line.Clear();
        if (line.Length > 0 && line != "-")
        {
            _lines.Add(line);
        }
    }
}
