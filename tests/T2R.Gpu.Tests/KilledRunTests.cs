using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Xunit;

namespace T2R.Gpu.Tests;

/// <summary>The program, killed while it trains on the card and while it saves.</summary>
public class KilledRunTests
{
    private const int Steps = 80, CheckpointEvery = 4;

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public async Task A_run_killed_three_times_has_the_losses_of_one_that_was_not()
    {
        using var world = new SmallWorld();
        await Finish(Start(world, "straight"));
        var expected = Losses(world, "straight");

        var random = new Random();
        var kills = new List<string>();
        for (int i = 0; i < 3; i++)
        {
            using var run = Start(world, "killed");
            int step = (15 * i) + random.Next(CheckpointEvery + 1, 16);
            await UntilStep(world, run, step);
            await Task.Delay(random.Next(0, 40), TestContext.Current.CancellationToken);
            Assert.False(run.HasExited, "the run was over before it could be killed");
            run.Kill();
            await run.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(128 + 9, run.ExitCode);
            bool saving = Directory.EnumerateDirectories(world["killed/checkpoints"], ".step-*").Any();
            kills.Add($"after step {Losses(world, "killed").Keys.Max()}{(saving ? ", while saving" : "")}");
        }

        await Finish(Start(world, "killed"));
        var actual = Losses(world, "killed");
        double worst = expected.Max(e => Math.Abs(actual[e.Key] - e.Value) / e.Value);
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"killed {string.Join("; ", kills)}: losses differ by {worst:E1} at most"));
        Assert.Equal(expected.Keys, actual.Keys);
        Assert.True(worst < 1e-3, $"killed {string.Join("; ", kills)}: losses differ by {worst}");
    }

    // Beside these tests, in a bundle and in a build.
    private static Process Start(SmallWorld world, string run) => Process.Start(new ProcessStartInfo(
        Path.Combine(AppContext.BaseDirectory, "t2r"),
        ["train", world.RecipePath, "--out", world[run], $"training.steps={Steps}", $"training.checkpoint_every={CheckpointEvery}", "training.keep_last=2"])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    private static async Task Finish(Process run)
    {
        using (run)
        {
            var output = run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            string error = await run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await run.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(run.ExitCode == 0, $"{await output}\n{error}");
        }
    }

    private static async Task UntilStep(SmallWorld world, Process run, int step)
    {
        var said = run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        while (!File.Exists(world["killed/metrics.jsonl"]) || Losses(world, "killed").Keys.DefaultIfEmpty().Max() < step)
        {
            if (run.HasExited)
            {
                Assert.Fail($"the run ended before step {step}: {await said}");
            }

            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }

    // The last line may be half written.
    private static SortedDictionary<int, double> Losses(SmallWorld world, string run)
    {
        using var file = new StreamReader(new FileStream(world[$"{run}/metrics.jsonl"], FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        string text = file.ReadToEnd();
        return new SortedDictionary<int, double>(text[..(text.LastIndexOf('\n') + 1)]
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonNode.Parse(line)!)
            .Where(line => line["loss"] is not null)
            .ToDictionary(line => (int)line["step"]!, line => (double)line["loss"]!));
    }
}
