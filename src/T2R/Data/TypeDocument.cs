using System.Text;
using System.Xml.Linq;

namespace T2R.Data;

/// <summary>
/// Writes the documentation of one type as a page of plain text: a heading with its full name, its summary and remarks, then a section for each member
/// with its signature, summary, parameters, value, result and exceptions. Fields, and so the members of enumerations, take one line each.
/// </summary>
internal sealed class TypeDocument(TypeNames names, string type)
{
    private readonly StringBuilder _page = new();
    private readonly DocText _text = new(names, type);
    private bool _afterField;

    /// <summary>Writes the page.</summary>
    /// <param name="members">The type's own entry, if it has one, and those of its members, in the order of the file.</param>
    /// <returns>The page, or an empty string when nothing in it is documented.</returns>
    public string Write(IEnumerable<(DocId Id, XElement Entry)> members)
    {
        _page.Append("# ").Append(names.Name(type, full: true)).Append('\n');
        int heading = _page.Length;
        foreach ((DocId id, XElement entry) in members.OrderBy(m => m.Id.Kind != 'T'))
        {
            List<string> lines = [.. Lines(entry)];
            if (lines.Count > 0)
            {
                Section(id, entry, lines);
            }
        }

        return _page.Length > heading ? _page.ToString() : "";
    }

    private void Section(DocId id, XElement entry, List<string> lines)
    {
        bool field = id.Kind == 'F';
        _page.Append(field && _afterField ? "" : "\n");
        _afterField = field;
        if (field)
        {
            _page.Append("- ").Append(id.Member).Append(": ").AppendJoin(' ', lines).Append('\n');
            return;
        }

        if (id.Kind != 'T')
        {
            string[] parameters = [.. entry.Elements("typeparam").Select(p => (string?)p.Attribute("name") ?? "")];
            _page.Append("## ").Append(new Signature(names, id, parameters)).Append('\n');
        }

        _page.AppendJoin('\n', lines).Append('\n');
    }

    private IEnumerable<string> Lines(XElement entry) =>
    [
        .. entry.Elements("summary").SelectMany(_text.Lines),
        .. entry.Elements("typeparam").SelectMany(Named),
        .. entry.Elements("param").SelectMany(Named),
        .. entry.Elements("value").SelectMany(v => Led("Value: ", v)),
        .. entry.Elements("returns").SelectMany(r => Led("Returns: ", r)),
        .. entry.Elements("exception").SelectMany(Thrown),
        .. entry.Elements("remarks").SelectMany(_text.Lines),
        .. entry.Elements("example").SelectMany(_text.Lines),
    ];

    private IEnumerable<string> Named(XElement element) => Led($"- {(string?)element.Attribute("name")}: ", element);

    private IEnumerable<string> Thrown(XElement element)
    {
        string exception = names.Name(DocId.Parse((string?)element.Attribute("cref") ?? "").Type, full: false);
        string when = string.Join(' ', _text.Lines(element));
        return exception.Length == 0 ? [] : [when.Length > 0 ? $"Throws {exception}: {when}" : $"Throws {exception}."];
    }

    private IEnumerable<string> Led(string lead, XElement element)
    {
        IReadOnlyList<string> lines = _text.Lines(element);
        return lines.Select((line, i) => i == 0 ? lead + line : line);
    }
}
