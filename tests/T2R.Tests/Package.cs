using System.Diagnostics;
using System.Text.RegularExpressions;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests;

/// <summary>
/// The package as the README says to make it, beside a copy of the samples outside the repository. Its version is no other package's, so that NuGet's folder cannot hold an
/// older one of the same name; what was made here is taken out of there in the end.
/// </summary>
public sealed class Package : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();

    public string Version { get; } = $"0.1.0-test{Guid.NewGuid():N}";

    public string File => _folder[$"packages/T2R.{Version}.nupkg"];

    public string this[string name] => _folder[name];

    /// <summary>NuGet's folder, as the build of these tests has recorded it.</summary>
    public static string NuGetFolder { get; } = (string)AppContext.GetData("T2R.NuGetFolder")!;

    public async ValueTask InitializeAsync()
    {
        string samples = Path.Combine(Repository.Root, "samples");
        Directory.CreateDirectory(_folder["Stream"]);
        foreach (string file in new[] { "Directory.Build.props", "nuget.config", "Stream/Stream.csproj", "Stream/Program.cs" })
        {
            System.IO.File.Copy(Path.Combine(samples, file), _folder[file]);
        }

        string project = _folder["Stream/Stream.csproj"];
        System.IO.File.WriteAllText(project, Regex.Replace(System.IO.File.ReadAllText(project), """(?<=Include="T2R" Version=")[^"]+""", Version));
        var (code, output) = await Dotnet(
            "pack", "-c", "Release", "--no-restore", Path.Combine(Repository.Root, "src", "T2R"), "-o", _folder["packages"], $"-p:PackageVersion={Version}", $"-p:NuspecOutputPath={_folder["nuspec"]}");
        Assert.True(code == 0, output);
    }

    public ValueTask DisposeAsync()
    {
        foreach (string file in Directory.GetFiles(_folder["packages"]))
        {
            var cached = new DirectoryInfo(Path.Combine(NuGetFolder, Path.GetFileName(file).Replace($".{Version}.nupkg", "").ToLowerInvariant(), Version));
            if (cached.Exists)
            {
                cached.Delete(recursive: true);
            }

            if (cached.Parent is { Exists: true } versions && !versions.EnumerateFileSystemInfos().Any())
            {
                versions.Delete();
            }
        }

        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Runs <c>dotnet</c> in the folder of the samples, and leaves no process of it behind.</summary>
    public async Task<(int ExitCode, string Output)> Dotnet(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = _folder.Path, RedirectStandardOutput = true };
        (start.Environment["MSBUILDDISABLENODEREUSE"], start.Environment["UseSharedCompilation"], start.Environment["DOTNET_NOLOGO"]) = ("1", "false", "1");
        using var process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output);
    }
}
