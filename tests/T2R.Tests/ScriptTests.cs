using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace T2R.Tests;

public partial class ScriptTests
{
    public static TheoryData<string> Scripts =>
        [".ci/run", .. Directory.GetFiles(Path.Combine(Repository.Root, "scripts")).Select(f => Path.GetRelativePath(Repository.Root, f))];

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task Every_script_parses_and_may_be_executed(string script)
    {
        string path = Path.Combine(Repository.Root, script);
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", "test -x \"$0\" && bash -n \"$0\"", path]) { RedirectStandardError = true })!;
        string complaint = await bash.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await bash.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(bash.ExitCode == 0, complaint.Length > 0 ? complaint : "not executable");
    }

    [Fact]
    public void The_bundle_holds_every_program_but_the_tests_of_this_repository()
    {
        string script = File.ReadAllText(Path.Combine(Repository.Root, "scripts", "bundle"));
        string[] bundled = Projects().Match(script).Groups[1].Value.Split(' ');
        string[] programs =
        [
            .. Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories).Where(p => File.ReadAllText(p).Contains("<OutputType>Exe</OutputType>")),
            .. Directory.GetFiles(Path.Combine(Repository.Root, "tests"), "*.csproj", SearchOption.AllDirectories),
        ];
        Assert.Equal(
            programs.Select(p => Path.GetRelativePath(Repository.Root, Path.GetDirectoryName(p)!)).Where(p => p != "tests/T2R.Tests").Order(), bundled.Order());
    }

    [GeneratedRegex(@"^projects=\((.*)\)$", RegexOptions.Multiline)]
    private static partial Regex Projects();
}
