using System.Xml;
using System.Xml.Linq;

namespace T2R.Data;

/// <summary>
/// The documentation file that a .NET compiler writes beside an assembly (C# language specification, annex D): one document a type, in the order in which
/// the file first mentions it.
/// </summary>
internal static class XmlDocumentation
{
    public static IEnumerable<Document> Documents(Stream stream, string path)
    {
        var types = new OrderedDictionary<string, List<(DocId Id, XElement Entry)>>();
        var parameters = new Dictionary<string, IReadOnlyList<string>>();
        foreach (XElement entry in Entries(stream, path))
        {
            var id = DocId.Parse((string?)entry.Attribute("name") ?? "");
            if (id.Kind is 'N' or '!')
            {
                continue;
            }

            if (!types.TryGetValue(id.Type, out List<(DocId, XElement)>? members))
            {
                types.Add(id.Type, members = []);
            }

            members.Add((id, entry));
            if (id.Kind == 'T')
            {
                parameters[id.Type] = [.. entry.Elements("typeparam").Select(p => (string?)p.Attribute("name") ?? "")];
            }
        }

        var names = new TypeNames(parameters);
        foreach ((string type, List<(DocId, XElement)> members) in types)
        {
            yield return new Document(new TypeDocument(names, type).Write(members), $"{path}: {type}");
        }
    }

    private static IEnumerable<XElement> Entries(Stream stream, string path)
    {
        using var reader = XmlReader.Create(stream, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, IgnoreComments = true });
        bool root = true;
        while (Next(reader, path))
        {
            if (root && reader.NodeType == XmlNodeType.Element)
            {
                root = false;
                if (reader.LocalName != "doc")
                {
                    throw new UserErrorException($"{path}: the root element is <{reader.LocalName}>, expected <doc>, as a .NET compiler writes documentation.");
                }
            }

            while (reader is { NodeType: XmlNodeType.Element, LocalName: "member" })
            {
                yield return Entry(reader, path);
            }
        }
    }

    private static bool Next(XmlReader reader, string path) => Checked(reader.Read, path);

    private static XElement Entry(XmlReader reader, string path) => Checked(() => (XElement)XNode.ReadFrom(reader), path);

    private static T Checked<T>(Func<T> read, string path)
    {
        try
        {
            return read();
        }
        catch (XmlException e)
        {
            throw new UserErrorException($"{path}, line {e.LineNumber}: not valid XML documentation ({e.Message.TrimEnd('.')}).", e);
        }
    }
}
