using System.Globalization;
using Microsoft.Win32.SafeHandles;
using T2R.Interop;

namespace T2R.Training;

/// <summary>
/// The folder of a training run: <c>checkpoints/step-00000100/</c>, <c>metrics.jsonl</c>, <c>tensorboard/</c> and, at the end, <c>loss.png</c>. Whoever has it open
/// holds its lock; checkpoints appear whole or not at all, so a process killed at any moment leaves a run that resumes.
/// </summary>
public sealed class RunFolder : IDisposable
{
    private const string StepPrefix = "step-";
    private readonly SafeFileHandle _lock;

    private RunFolder(string path, SafeFileHandle held)
    {
        Path = path;
        _lock = held;
    }

    /// <summary>The folder, absolute.</summary>
    public string Path { get; }

    /// <summary>The metrics, a JSON object a line.</summary>
    public string MetricsPath => MetricsOf(Path);

    /// <summary>TensorBoard's event files.</summary>
    public string TensorBoardPath => System.IO.Path.Combine(Path, "tensorboard");

    /// <summary>The picture of the losses.</summary>
    public string PlotPath => System.IO.Path.Combine(Path, "loss.png");

    /// <summary>Makes the folder if need be and locks it.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="UserErrorException">It is a file, or another process trains in it.</exception>
    /// <exception cref="IOException">The system refused.</exception>
    public static RunFolder Open(string path)
    {
        string full = System.IO.Path.GetFullPath(path);
        RefuseFile(path);
        Directory.CreateDirectory(full);
        var folder = new RunFolder(full, Lock(path));
        folder.RemoveUnfinished();
        return folder;
    }

    /// <summary>The checkpoints of a run, newest first. They are complete as far as writing goes; a disk may still have damaged them.</summary>
    /// <param name="path">The run's folder.</param>
    public static IReadOnlyList<string> Checkpoints(string path)
    {
        string parent = CheckpointsOf(path);
        return Directory.Exists(parent)
            ? [.. Directory.GetDirectories(parent, StepPrefix + "*").Where(d => StepOf(d) is not null).OrderByDescending(StepOf)]
            : [];
    }

    /// <summary>Where the checkpoint of a step lies.</summary>
    /// <param name="step">Steps done.</param>
    public string CheckpointPath(int step) => System.IO.Path.Combine(CheckpointsOf(Path), StepPrefix + step.ToString("D8", CultureInfo.InvariantCulture));

    /// <summary>Removes all checkpoints but the newest.</summary>
    /// <param name="keep">How many stay.</param>
    public void Prune(int keep)
    {
        foreach (string old in Checkpoints(Path).Skip(keep))
        {
            // A folder that is half removed must not look like a checkpoint.
            string aside = System.IO.Path.Combine(CheckpointsOf(Path), "." + System.IO.Path.GetFileName(old) + ".removed");
            Directory.Move(old, aside);
            Directory.Delete(aside, recursive: true);
        }
    }

    /// <summary>Removes what lies after a step that the run goes back to: checkpoints that were found damaged. They would pass for the newest ones.</summary>
    /// <param name="step">Steps done.</param>
    public void RemoveAfter(int step)
    {
        foreach (string damaged in Checkpoints(Path).Where(c => StepOf(c) > step))
        {
            Directory.Delete(damaged, recursive: true);
        }
    }

    /// <summary>Gives the lock back.</summary>
    public void Dispose() => _lock.Dispose();

    /// <summary>Holds the lock of a run's folder, to look at what is in it; writes nothing.</summary>
    /// <param name="path">The folder.</param>
    /// <returns>The lock; null when there is no such folder.</returns>
    /// <exception cref="UserErrorException">It is a file, or another process trains in it.</exception>
    internal static IDisposable? TryHold(string path)
    {
        RefuseFile(path);
        return Directory.Exists(path) ? Lock(path) : null;
    }

    internal static int? StepOf(string checkpoint) =>
        int.TryParse(System.IO.Path.GetFileName(checkpoint).AsSpan(StepPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int step) ? step : null;

    /// <summary>Where a run's metrics lie.</summary>
    /// <param name="path">The run's folder.</param>
    internal static string MetricsOf(string path) => System.IO.Path.Combine(path, "metrics.jsonl");

    private static void RefuseFile(string path)
    {
        if (File.Exists(path))
        {
            throw new UserErrorException($"{path}: this is a file, expected a folder for the run; choose another name.");
        }
    }

    private static SafeFileHandle Lock(string path) =>
        Posix.TryLock(path) ?? throw new UserErrorException($"{path}: another process is training in this folder; wait for it, or choose another folder.");

    private static string CheckpointsOf(string path) => System.IO.Path.Combine(path, "checkpoints");

    // Under the lock, every hidden folder is one that a killed process was writing or removing.
    private void RemoveUnfinished()
    {
        if (Directory.Exists(CheckpointsOf(Path)))
        {
            foreach (string hidden in Directory.GetDirectories(CheckpointsOf(Path), "." + StepPrefix + "*"))
            {
                Directory.Delete(hidden, recursive: true);
            }
        }
    }
}
