namespace T2R.Interop;

/// <summary>
/// Where libtorch and TorchSharp's native library may lie, in the order they are tried. Where NuGet's packages have them, the build has recorded in the program's
/// runtimeconfig.json (T2R.targets).
/// </summary>
internal static class LibTorchSearch
{
    public const string Variable = "T2R_LIBTORCH";

    public const string Remedies =
        $"To mend it: reference the NuGet package libtorch-cpu-linux-x64 in the program's project and build it again, or set {Variable} to the folder that holds libtorch_cpu.so "
        + "(for an installed PyTorch, the folder `lib` beside its `__init__.py`).";

    private const string LibTorchSharpFile = "libLibTorchSharp.so";
    private static readonly string PackageNatives = Path.Combine("runtimes", "linux-x64", "native");

    /// <summary>The first folder that holds libtorch: the variable alone if it is set, then beside the program, the build's, NuGet's, PyTorch's.</summary>
    /// <exception cref="UserErrorException">The variable names a folder without libtorch.</exception>
    /// <exception cref="DllNotFoundException">None was found.</exception>
    public static LibTorchFolder Find() => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named ? Named(named) : Find(
        [
            .. BesideProgram().Select(f => new LibTorchFolder(f, "beside the program")),
            .. FromBuild("LibTorchFolder").Select(f => new LibTorchFolder(f, "recorded by the build")),
            .. FromNuGet("LibTorchFolder").Select(f => new LibTorchFolder(f, "this user's NuGet folder")),
        ],
        InstalledPyTorch.Find);

    /// <summary>The first of the folders that holds libtorch; the last resort is asked only when none does, as it takes a moment.</summary>
    internal static LibTorchFolder Find(IReadOnlyList<LibTorchFolder> folders, Func<LibTorchFolder?> lastResort) =>
        folders.FirstOrDefault(f => f.HasLibTorch)
        ?? lastResort()
        ?? throw new DllNotFoundException(
            $"libtorch was not found. Looked for libtorch_cpu.so in: {string.Join(", ", folders.Select(f => $"{f.Path} ({f.ChosenBy})"))}; "
            + $"and for a PyTorch of python3 or python. {Remedies}");

    /// <summary>The file of TorchSharp's native library, as it was published or restored.</summary>
    /// <exception cref="DllNotFoundException">It was not found.</exception>
    public static string FindLibTorchSharp()
    {
        string[] folders = [.. BesideProgram(), .. FromBuild("LibTorchSharpFolder"), .. FromNuGet("LibTorchSharpFolder")];
        return folders.Select(f => Path.Combine(f, LibTorchSharpFile)).FirstOrDefault(File.Exists)
            ?? throw new DllNotFoundException(
                $"{LibTorchSharpFile}, which the NuGet package TorchSharp carries, was not found in: {string.Join(", ", folders)}. Build the program again, or publish it for a machine without NuGet's packages.");
    }

    internal static LibTorchFolder Named(string path)
    {
        var folder = new LibTorchFolder(Path.GetFullPath(path), Variable, IsUsersChoice: true);
        return folder.HasLibTorch
            ? folder
            : throw new UserErrorException(
                $"{Variable} is set to {path}, "
                + (Directory.Exists(path) ? "a folder that holds no libtorch_cpu.so" : "which is not a folder")
                + ". Expected the folder that holds libtorch_cpu.so: correct the variable, or unset it to use the libtorch that came with the build.");
    }

    private static string[] BesideProgram() => [AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, PackageNatives)];

    private static string[] FromBuild(string key) => Recorded(key) is { } folder ? [folder] : [];

    // The build may have been made by another user or on another machine: the same place in this user's NuGet folder.
    private static string[] FromNuGet(string key)
    {
        if (Recorded(key) is not { } folder || Recorded("NuGetFolder") is not { } builders || Path.GetRelativePath(builders, folder) is not { } inside || inside.StartsWith("..", StringComparison.Ordinal))
        {
            return [];
        }

        string own = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        string candidate = Path.Combine(own, inside);
        return candidate == folder ? [] : [candidate];
    }

    private static string? Recorded(string key) => AppContext.GetData($"T2R.{key}") as string;
}
