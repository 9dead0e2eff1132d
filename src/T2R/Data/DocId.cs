namespace T2R.Data;

/// <summary>A documentation id in its parts: <c>M:System.String.Join(System.String,System.String[])</c>.</summary>
/// <param name="Kind">T type, M method, P property, F field, E event, N namespace; <c>!</c> when the compiler could not resolve it.</param>
/// <param name="Type">The encoded full name of the type, or of the type that declares the member.</param>
/// <param name="Member">The member's encoded name; empty for a type.</param>
/// <param name="Arguments">The encoded parameter types, without parentheses; null when there is no parenthesis.</param>
/// <param name="Result">The encoded result type of a conversion operator; null for everything else.</param>
internal readonly record struct DocId(char Kind, string Type, string Member, string? Arguments, string? Result)
{
    public static DocId Parse(string id)
    {
        if (id.Length < 2 || id[1] != ':')
        {
            return new DocId('!', id, "", null, null);
        }

        char kind = id[0];
        string rest = id[2..];
        if (kind is not ('M' or 'P' or 'F' or 'E'))
        {
            return new DocId(kind, rest, "", null, null);
        }

        string? result = null;
        if (rest.IndexOf('~') is var tilde and >= 0)
        {
            (rest, result) = (rest[..tilde], rest[(tilde + 1)..]);
        }

        string? arguments = null;
        if (rest.IndexOf('(') is var open and >= 0)
        {
            (rest, arguments) = (rest[..open], rest[(open + 1)..].TrimEnd(')'));
        }

        int dot = rest.LastIndexOf('.');
        return dot < 0 ? new DocId('!', rest, "", null, null) : new DocId(kind, rest[..dot], rest[(dot + 1)..], arguments, result);
    }
}
