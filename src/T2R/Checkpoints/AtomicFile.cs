using System.Text;
using T2R.Interop;

namespace T2R.Checkpoints;

/// <summary>A file that appears whole or not at all: written under a hidden name beside it, flushed to the disk, renamed over what was there.</summary>
public static class AtomicFile
{
    /// <summary>Writes UTF-8 text without a byte-order mark.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="text">The content.</param>
    /// <exception cref="IOException">The disk is full or fails; the file is as it was.</exception>
    public static void WriteAllText(string path, string text) => WriteAllBytes(path, Encoding.UTF8.GetBytes(text));

    /// <summary>Writes bytes.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="bytes">The content.</param>
    /// <exception cref="IOException">The disk is full or fails; the file is as it was.</exception>
    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>Writes what an action puts into a stream; if it throws, the file is as it was.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="write">Gets an unbuffered stream that can seek.</param>
    /// <exception cref="UserErrorException">The folder is missing, or the path is a folder.</exception>
    /// <exception cref="IOException">The disk is full or fails; the file is as it was.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        string target = Path.GetFullPath(path);
        string folder = Path.GetDirectoryName(target) is { } parent && Directory.Exists(parent)
            ? parent
            : throw new UserErrorException($"{path}: its folder does not exist; create it or choose another path.");
        if (Directory.Exists(target))
        {
            throw new UserErrorException($"{path}: this is a folder, expected a file to write; choose another path.");
        }

        Leftover.Remove(target);
        string aside = Leftover.NewName(target, Leftover.Partial);
        try
        {
            DiskFull.Explain(path, () =>
            {
                using var stream = new FileStream(aside, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
                write(stream);
                stream.Flush(flushToDisk: true);
            });
            Posix.Move(aside, target);
        }
        finally
        {
            File.Delete(aside);
        }

        Posix.Sync(folder);
    }
}
