using System.Text;

namespace T2R.Data;

/// <summary>
/// Writes the encoded names of documentation ids (C# language specification, annex D.4) as a person would: <c>Dictionary`2</c> as
/// <c>Dictionary&lt;TKey, TValue&gt;</c>, given the names of the type parameters.
/// </summary>
/// <param name="parameters">For a documented type, by its encoded full name: the names of its own type parameters, in order.</param>
internal sealed class TypeNames(IReadOnlyDictionary<string, IReadOnlyList<string>> parameters)
{
    /// <summary>The names of all type parameters of a type, those of the types around it first.</summary>
    public IReadOnlyList<string> Parameters(string type)
    {
        List<string> names = [];
        for (int at = type.IndexOf('`'); at >= 0; at = type.IndexOf('`', at + 1))
        {
            int end = at + 1 + Digits(type, at + 1);
            int count = int.Parse(type.AsSpan(at + 1, end - at - 1));
            IReadOnlyList<string> own = parameters.GetValueOrDefault(type[..end], []);
            names.AddRange(own.Count >= count ? own.TakeLast(count) : Invented(count));
        }

        return names;
    }

    /// <summary>A type's name with its type parameters; with its namespace, or only the last name.</summary>
    public string Name(string type, bool full)
    {
        IReadOnlyList<string> names = Parameters(type);
        var text = new StringBuilder();
        int used = 0;
        for (int at = 0; at < type.Length; at++)
        {
            if (type[at] != '`')
            {
                text.Append(type[at]);
                continue;
            }

            int digits = Digits(type, at + 1);
            int count = int.Parse(type.AsSpan(at + 1, digits));
            text.Append('<').AppendJoin(", ", names.Skip(used).Take(count)).Append('>');
            used += count;
            at += digits;
        }

        string name = text.ToString();
        return full ? name : name[(name.LastIndexOf('.') + 1)..];
    }

    /// <summary>Names for type parameters that no one has named: T, or T1, T2, ….</summary>
    public static IReadOnlyList<string> Invented(int count) => count == 1 ? ["T"] : [.. Enumerable.Range(1, count).Select(i => $"T{i}")];

    private static int Digits(string text, int at) => text.AsSpan(at).IndexOfAnyExceptInRange('0', '9') is var n and >= 0 ? n : text.Length - at;
}
