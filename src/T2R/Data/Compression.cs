using ICSharpCode.SharpZipLib.GZip;
using ZstdSharp;

namespace T2R.Data;

/// <summary>How a corpus' file is compressed, told by the last extension of its name.</summary>
/// <param name="Extension">That extension; empty when the file is not compressed.</param>
/// <param name="Name">What people call it.</param>
/// <param name="Undo">Reads a file's bytes as they were before.</param>
internal sealed record Compression(string Extension, string Name, Func<Stream, Stream> Undo)
{
    private static readonly Compression[] Known =
    [
        // .NET's own GZipStream takes a file that is cut off for a whole one.
        new(".gz", "gzip", file => new GZipInputStream(file)),
        new(".zst", "Zstandard", file => new DecompressionStream(file)),
        new("", "plain", file => file),
    ];

    public static Compression Of(string path) => Known.First(c => path.EndsWith(c.Extension, StringComparison.OrdinalIgnoreCase));

    /// <summary>A file's name without that extension.</summary>
    public static string PlainName(string path) => path[..^Of(path).Extension.Length];
}
