namespace T2R.Tests.Server;

/// <summary>Programs that a test may need and a machine may lack.</summary>
internal static class Programs
{
    /// <summary>Whether it is on the PATH.</summary>
    public static bool Has(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, name)));
}
