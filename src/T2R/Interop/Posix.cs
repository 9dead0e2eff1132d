using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace T2R.Interop;

/// <summary>The calls of Linux's C library that .NET does not offer: folders as file descriptors, locks on them, and an exchanging rename.</summary>
internal static partial class Posix
{
    private const int OpenReadOnly = 0, OpenCloseOnExec = 0x80000, OpenNonBlocking = 0x800;
    private const int SeekCurrent = 1, IllegalSeek = 29;
    private const int LockExclusive = 2, LockNonBlocking = 4;
    private const int AtCurrentFolder = -100;
    private const uint RenameExchange = 2, SyncRangeWrite = 2;
    private const int AdviseHugePage = 14, HugePage = 2 << 20;
    private const int NoSuchSystemCall = 38, NotSupported = 95, InvalidArgument = 22, CrossDevice = 18;

    /// <summary>Takes the lock of a file or folder without waiting; closing the handle, or the process's end, gives it back.</summary>
    /// <returns>The handle, or null when another process holds the lock or the path is gone.</returns>
    internal static SafeFileHandle? TryLock(string path)
    {
        SafeFileHandle handle = Open(path, OpenReadOnly | OpenCloseOnExec, 0);
        if (!handle.IsInvalid && FLock(handle, LockExclusive | LockNonBlocking) == 0)
        {
            return handle;
        }

        handle.Dispose();
        return null;
    }

    /// <summary>Whether a path is a pipe, which a plain open would wait for another process to write to. Does not wait.</summary>
    internal static bool IsPipe(string path)
    {
        using SafeFileHandle handle = Open(path, OpenReadOnly | OpenCloseOnExec | OpenNonBlocking, 0);
        return !handle.IsInvalid && LSeek(handle, 0, SeekCurrent) < 0 && Marshal.GetLastPInvokeError() == IllegalSeek;
    }

    /// <summary>Waits until a file's data, or a folder's list of names, is on the disk.</summary>
    /// <exception cref="IOException">The disk refused; the error number is the exception's HResult.</exception>
    internal static void Sync(string path)
    {
        using SafeFileHandle handle = Open(path, OpenReadOnly | OpenCloseOnExec, 0);
        if (handle.IsInvalid || FSync(handle) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error != InvalidArgument)
            {
                throw Failure($"cannot flush '{path}' to the disk", error);
            }
        }
    }

    /// <summary>Begins to bring what was written to the disk and does not wait, so that a later <see cref="Sync"/> has less to wait for; where the system cannot, nothing is lost.</summary>
    internal static void BeginSync(SafeFileHandle file) => _ = SyncFileRange(file, 0, 0, SyncRangeWrite);

    /// <summary>
    /// Asks for pages of 2 MiB where memory is touched for the first time: as the system hands out memory that is filled at once, zeroing small pages one by one takes
    /// longer than filling them. Where it has none, nothing is lost.
    /// </summary>
    /// <param name="address">The first byte; memory that nothing was written to yet.</param>
    /// <param name="count">Bytes.</param>
    internal static void PreferHugePages(nint address, long count)
    {
        nint first = (nint)((address + HugePage - 1) / HugePage * HugePage), end = (nint)((address + count) / HugePage * HugePage);
        if (end > first)
        {
            _ = MAdvise(first, (nuint)(end - first), AdviseHugePage);
        }
    }

    /// <summary>Renames; the target may be absent, or, if both are folders, an empty folder.</summary>
    /// <exception cref="IOException">The system refused.</exception>
    internal static void Move(string from, string to)
    {
        if (Rename(from, to) != 0)
        {
            throw Failure($"cannot rename '{from}' to '{to}'", Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Swaps two existing paths in one step, so that no moment shows neither.</summary>
    /// <returns>False where the file system cannot.</returns>
    /// <exception cref="IOException">The system refused for another reason.</exception>
    internal static bool TryExchange(string a, string b)
    {
        if (RenameAt2(AtCurrentFolder, a, AtCurrentFolder, b, RenameExchange) == 0)
        {
            return true;
        }

        int error = Marshal.GetLastPInvokeError();
        return error is NoSuchSystemCall or NotSupported or InvalidArgument or CrossDevice
            ? false
            : throw Failure($"cannot exchange '{a}' and '{b}'", error);
    }

    internal static IOException Failure(string what, int error) => new($"{what}: {Marshal.GetPInvokeErrorMessage(error)}", error);

    /// <summary>Sets a variable that native libraries read, unless the user has set it; .NET's own environment is a copy that they do not see.</summary>
    /// <param name="name">The variable.</param>
    /// <param name="value">Its value.</param>
    public static void Default(string name, string value) => _ = SetEnv(name, value, overwrite: 0);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long LSeek(SafeFileHandle handle, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FLock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    private static partial int SyncFileRange(SafeFileHandle handle, long offset, long count, uint flags);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int MAdvise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int fromFolder, string from, int toFolder, string to, uint flags);
}
