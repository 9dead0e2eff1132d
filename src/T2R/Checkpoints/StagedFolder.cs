using Microsoft.Win32.SafeHandles;
using T2R.Interop;

namespace T2R.Checkpoints;

/// <summary>
/// A folder that appears whole or not at all. It is filled under a hidden name beside its target, flushed to the disk unless told otherwise, and renamed; a
/// process killed at any moment leaves under the target's name what was there before, or the new folder.
/// </summary>
public sealed class StagedFolder : IDisposable
{
    private readonly bool _replace;
    private readonly List<string> _createdParents = [];
    private readonly SafeFileHandle? _lock;
    private bool _committed;

    /// <summary>Creates the hidden folder, and removes those that killed processes left for the same target.</summary>
    /// <param name="target">The folder to make.</param>
    /// <param name="replace">Whether a folder that is there already is replaced.</param>
    /// <param name="flush">
    /// Whether <see cref="Commit"/> waits for the disk, so that the folder survives a power cut too. Random gigabytes for a benchmark need not wait.
    /// </param>
    /// <exception cref="UserErrorException">The target exists, is not empty and must not be replaced, or is a file.</exception>
    /// <exception cref="IOException">The system refused.</exception>
    public StagedFolder(string target, bool replace = false, bool flush = true)
    {
        Target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        (_replace, Flushes) = (replace, flush);
        string parent = System.IO.Path.GetDirectoryName(Target) ?? throw new UserErrorException($"{target}: this is the root of the file system, expected a folder to create.");
        if (Directory.Exists(parent))
        {
            Leftover.Remove(Target);
        }

        RefuseIfTaken(Target, replace);
        for (string? missing = parent; missing is not null && !Directory.Exists(missing); missing = System.IO.Path.GetDirectoryName(missing))
        {
            _createdParents.Add(missing);
        }

        Directory.CreateDirectory(parent);
        Path = Leftover.NewName(Target, Leftover.Partial);
        Directory.CreateDirectory(Path);
        _lock = Posix.TryLock(Path);
    }

    /// <summary>The folder to be made, absolute.</summary>
    public string Target { get; }

    /// <summary>Where to write until <see cref="Commit"/>.</summary>
    public string Path { get; }

    /// <summary>Whether <see cref="Commit"/> waits for the disk.</summary>
    internal bool Flushes { get; }

    /// <summary>Where names are new: the target's in its parent, and those of parents that were made in theirs.</summary>
    internal IEnumerable<string> FoldersWithNewNames => new[] { Target }.Concat(_createdParents).Select(made => System.IO.Path.GetDirectoryName(made)!);

    /// <summary>Checks that the disk has room, before anything is written.</summary>
    /// <param name="bytes">Bytes that are going to be written.</param>
    /// <exception cref="IOException">It has not; the message says how much is needed and how much is free.</exception>
    public void EnsureSpace(long bytes) => DiskFull.EnsureSpace(Path, Target, bytes);

    /// <summary>Flushes every file to the disk, if so asked, and gives the folder its name.</summary>
    /// <exception cref="UserErrorException">The target has come into being meanwhile and must not be replaced.</exception>
    /// <exception cref="IOException">The disk is full or fails; the target is as it was.</exception>
    public void Commit()
    {
        if (Flushes)
        {
            string[] entries = [.. Directory.EnumerateFileSystemEntries(Path, "*", SearchOption.AllDirectories), Path];
            DiskFull.Explain(Target, () => Array.ForEach(entries, Posix.Sync));
        }

        RefuseIfTaken(Target, _replace);
        if (_replace && Directory.Exists(Target))
        {
            Replace();
        }
        else
        {
            Posix.Move(Path, Target);
        }

        _committed = true;
        if (Flushes)
        {
            Array.ForEach([.. FoldersWithNewNames], Posix.Sync);
        }
    }

    /// <summary>Removes everything that was not committed, also the parent folders that were made for it.</summary>
    public void Dispose()
    {
        _lock?.Dispose();
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }

        if (!_committed)
        {
            foreach (string parent in _createdParents.Where(p => Directory.Exists(p) && !Directory.EnumerateFileSystemEntries(p).Any()))
            {
                Directory.Delete(parent);
            }
        }
    }

    /// <summary>Refuses a target that could not be committed as it is now.</summary>
    /// <exception cref="UserErrorException">It exists, is not empty and must not be replaced, or is a file.</exception>
    internal static void RefuseIfTaken(string target, bool replace)
    {
        if (File.Exists(target))
        {
            throw new UserErrorException($"{target}: this is a file, expected a folder to create; choose another name.");
        }

        if (!replace && Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
        {
            throw new UserErrorException($"{target}: the folder exists and is not empty; choose another one, or remove it first.");
        }
    }

    private void Replace()
    {
        if (Posix.TryExchange(Path, Target))
        {
            // The old folder lies under the hidden name now, and Dispose removes it.
            return;
        }

        // Two renames: a kill between them leaves the old folder under its hidden name, and the next StagedFolder puts it back.
        string aside = Leftover.NewName(Target, Leftover.Replaced);
        Posix.Move(Target, aside);
        Posix.Move(Path, Target);
        Directory.Delete(aside, recursive: true);
    }
}
