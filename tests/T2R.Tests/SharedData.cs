using Xunit;

namespace T2R.Tests;

/// <summary>Files too large, or not ours, to keep in the repository: in <c>../shared</c> beside it, or where <c>T2R_SHARED</c> says.</summary>
internal static class SharedData
{
    /// <summary>The path of a file or folder below <c>shared/data</c>; the test is skipped when it is not there.</summary>
    public static string Path(string name)
    {
        string folder = Environment.GetEnvironmentVariable("T2R_SHARED") ?? System.IO.Path.Combine(Repository.Root, "..", "shared");
        string path = System.IO.Path.Combine(folder, "data", name);
        Assert.SkipUnless(System.IO.Path.Exists(path), $"{path} is not there; set T2R_SHARED");
        return path;
    }
}
