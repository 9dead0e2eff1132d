using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace T2R.Interop;

/// <summary>
/// A whole file in memory without being read: pages come from the disk when they are touched and cost no memory of the process's own. The
/// mapping is private: whoever writes into it changes this process's view of the page, never the file. It must not outlive its file's content:
/// touching a page that another process has cut off kills this process.
/// </summary>
internal sealed partial class MappedFile : SafeHandle
{
    private const int ReadWrite = 3, PrivateNoReserve = 0x4002;

    /// <summary>Maps nothing; see <see cref="Open"/>.</summary>
    public MappedFile()
        : base(-1, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == -1;

    /// <summary>Bytes in the file.</summary>
    public long Length { get; private set; }

    /// <summary>Address of the first byte; multiple of the page size.</summary>
    public nint Address => handle;

    /// <summary>The file, open for reading.</summary>
    public SafeFileHandle File { get; private set; } = new();

    /// <summary>Maps a file that is not empty.</summary>
    /// <param name="path">An existing file.</param>
    /// <returns>The mapping; dispose it when no tensor or span over it is used any more.</returns>
    /// <exception cref="IOException">The file is empty or cannot be opened or mapped.</exception>
    public static MappedFile Open(string path)
    {
        SafeFileHandle file = System.IO.File.OpenHandle(path);
        long length = RandomAccess.GetLength(file);
        nint address = MMap(0, (nuint)length, ReadWrite, PrivateNoReserve, file, 0);
        if (address == -1)
        {
            int error = Marshal.GetLastPInvokeError();
            file.Dispose();
            throw Posix.Failure($"cannot map '{path}' into memory", error);
        }

        var mapped = new MappedFile { Length = length, File = file };
        mapped.SetHandle(address);
        return mapped;
    }

    /// <summary>A range of the file; valid while the mapping is open.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="count">Bytes; a span holds at most 2 GiB.</param>
    /// <returns>The bytes, not copied.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the file.</exception>
    public unsafe ReadOnlySpan<byte> Span(long offset, int count)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Length - offset);
        return new ReadOnlySpan<byte>((byte*)handle + offset, count);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        File.Dispose();
        return MUnmap(handle, (nuint)Length) == 0;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MMap(nint address, nuint length, int protection, int flags, SafeFileHandle file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int MUnmap(nint address, nuint length);
}
