using System.Runtime.InteropServices;

namespace T2R.Data;

/// <summary>Finds a package that a restore has put on this machine.</summary>
internal static class NuGetPackage
{
    /// <summary>
    /// Where a file or glob of a package lies: in the NuGet folder of the build, in that of this user, or, for the reference packs that the SDK carries, in
    /// <c>packs</c> beside the <c>dotnet</c> executable.
    /// </summary>
    /// <param name="path">What the user wrote, for messages.</param>
    /// <param name="reference"><c>Package.Id/version/glob</c>.</param>
    /// <exception cref="UserErrorException">It is not of that form, or no such package is there; says how to get it.</exception>
    public static string Locate(string path, string reference)
    {
        string[] parts = reference.Split('/', 3, StringSplitOptions.RemoveEmptyEntries);
        if (parts is not [string id, string version, string glob])
        {
            throw new UserErrorException($"{path}: expected nuget:Package.Id/version/glob, for example nuget:Microsoft.NETCore.App.Ref/10.0.12/ref/net10.0/*.xml.");
        }

        List<string> candidates = [.. NuGetFolders().Select(f => Path.Combine(f, id.ToLowerInvariant(), version)), Path.Combine(DotNetRoot(), "packs", id, version)];
        string? package = candidates.FirstOrDefault(Directory.Exists);
        return package is not null
            ? Path.Combine(package, glob)
            : throw new UserErrorException(
                $"{path}: package {id} {version} is not on this machine (looked in {string.Join(", ", candidates.Distinct())}); run `dotnet restore` in the repository, "
                + $"or list <PackageDownload Include=\"{id}\" Version=\"[{version}]\" /> in a project and restore that.");
    }

    private static IEnumerable<string> NuGetFolders()
    {
        string?[] folders =
        [
            AppContext.GetData("T2R.NuGetFolder") as string,
            Environment.GetEnvironmentVariable("NUGET_PACKAGES"),
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages"),
        ];
        return folders.OfType<string>().Where(f => f.Length > 0);
    }

    // The runtime lies in <root>/shared/Microsoft.NETCore.App/<version>/.
    private static string DotNetRoot() => Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root
        ? root
        : Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
}
