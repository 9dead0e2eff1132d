namespace T2R.Data;

/// <summary>Whole lines of a file, still as bytes.</summary>
/// <param name="LinesBefore">How many lines of the file lie before it.</param>
/// <param name="Lines">How many lines it has; the file's last may have no ending.</param>
/// <param name="Bytes">The lines, with their endings.</param>
internal readonly record struct LineBlock(long LinesBefore, long Lines, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Each line with its number, from 1, without its ending (<c>\n</c> or <c>\r\n</c>).</summary>
    public IEnumerable<(long Number, ReadOnlyMemory<byte> Line)> Split()
    {
        ReadOnlyMemory<byte> rest = Bytes;
        for (long number = LinesBefore + 1; rest.Length > 0; number++)
        {
            int end = rest.Span.IndexOf((byte)'\n');
            ReadOnlyMemory<byte> line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            yield return (number, line.Span.EndsWith("\r"u8) ? line[..^1] : line);
        }
    }
}
