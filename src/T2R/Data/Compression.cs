using ZstdSharp;
using ZstdSharp.Unsafe;

namespace T2R.Data;

/// <summary>How a corpus' file is compressed, told by the last extension of its name.</summary>
/// <param name="Extension">That extension; empty when the file is not compressed.</param>
/// <param name="Name">What people call it.</param>
/// <param name="Undo">Reads a file's bytes as they were before.</param>
internal sealed record Compression(string Extension, string Name, Func<Stream, Stream> Undo)
{
    private static readonly Compression[] Known =
    [
        new(".gz", "gzip", file => new GzipMembers(file)),
        new(".zst", "Zstandard", Zstandard),
        new("", "plain", file => file),
    ];

    public static Compression Of(string path) => Known.First(c => path.EndsWith(c.Extension, StringComparison.OrdinalIgnoreCase));

    /// <summary>A file's name without that extension.</summary>
    public static string PlainName(string path) => path[..^Of(path).Extension.Length];

    private static DecompressionStream Zstandard(Stream file)
    {
        var plain = new DecompressionStream(file);
        try
        {
            // By default a window above 128 MiB is refused; the format's longest comes from zstd --long=31.
            plain.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, 31);
            return plain;
        }
        catch
        {
            plain.Dispose();
            throw;
        }
    }
}
