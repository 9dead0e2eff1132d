using System.Diagnostics;
using System.Text.RegularExpressions;
using T2R.Cli;
using T2R.Recipes;
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

    [Fact]
    public async Task The_comparison_with_the_peer_says_at_once_what_it_lacks()
    {
        string path = Path.Combine(Repository.Root, "scripts", "compare-with-fla");
        using var script = Process.Start(new ProcessStartInfo(path, ["--t2r", "/nowhere", "--steps", "0"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string error = await script.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await script.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, script.ExitCode);
        Assert.Matches("there is no python3|(?s)/nowhere is not a program.*--steps is 0, expected at least 1", error);
    }

    // Each recipe's key, verb and option that the script gives to t2r, as the script gives them.
    [Fact]
    public void The_comparison_with_the_peer_asks_t2r_for_what_it_has()
    {
        string recipe = Path.Combine(Repository.Root, "recipes", "mistral-7b-gsa.yaml");
        string script = File.ReadAllText(Path.Combine(Repository.Root, "scripts", "compare-with-fla"));
        string[] settings = [.. Settings().Matches(script).Select(m => m.Value.Replace("{args.windows}", "4").Replace("{args.window_length}", "2048").Replace("{recompute}", "full"))];
        Assert.Equal(5, settings.Length);
        Assert.Equal(8192, Recipe.Load(recipe, settings).Training.TokensPerStep);
        Assert.Empty(ParseMistakes.Of(CommandLine.Create().Parse(["bench", "train", recipe, .. settings, "--layers", "32", "--steps", "8", "--json"])));
        Assert.Empty(ParseMistakes.Of(CommandLine.Create().Parse(["bench", "gsa", "--length", "8192", "--json"])));
    }

    [GeneratedRegex(@"(training|data)\.[\w.]+=[\w{}.]+")]
    private static partial Regex Settings();

    [GeneratedRegex(@"^projects=\((.*)\)$", RegexOptions.Multiline)]
    private static partial Regex Projects();
}
