using T2R.Tests.Recipes;
using T2R.Training;
using Xunit;

namespace T2R.Tests.Cli;

/// <summary>The program killed by a signal that it cannot catch goes on, with the same command, to the bytes of a run that was not killed.</summary>
public class KilledRunTests
{
    private static readonly string[] Overrides =
        ["training.steps=100", "training.checkpoint_every=1", "training.keep_last=2", "training.evaluate_every=0", "training.distillation=null"];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Killed_three_times_and_resumed_a_run_ends_with_the_same_bytes(bool whileWriting)
    {
        using var world = new TinyWorld();
        Assert.Equal(0, (await T2rProcess.Run(["train", world.RecipePath, "--out", world["straight"], .. Overrides])).ExitCode);
        var random = new Random(7);
        int killed = 0, whileWritten = 0, lastStep = 0;
        for (int kill = 0; kill < 3; kill++)
        {
            using var process = T2rProcess.Start(["train", world.RecipePath, "--out", world["killed"], .. Overrides]);
            var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));

            // Some steps further than the run before, and then at any moment, or while a checkpoint lies half written under its hidden name.
            SpinWait.SpinUntil(() => process.HasExited || Newest() >= lastStep + 3, TimeSpan.FromMinutes(1));
            if (whileWriting)
            {
                SpinWait.SpinUntil(() => process.HasExited || Hidden().Length > 0, TimeSpan.FromMinutes(1));
            }
            else
            {
                await Task.Delay(random.Next(20), TestContext.Current.CancellationToken);
            }

            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            await output;
            killed += process.ExitCode == 128 + 9 ? 1 : 0;
            whileWritten += Hidden().Length > 0 ? 1 : 0;
            lastStep = Newest();
        }

        Assert.Equal(3, killed);
        Assert.True(!whileWriting || whileWritten > 0);
        Assert.InRange(lastStep, 9, 99);
        Assert.Equal(0, (await T2rProcess.Run(["train", world.RecipePath, "--out", world["killed"], .. Overrides])).ExitCode);
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
        {
            Assert.Equal(
                File.ReadAllBytes(world[$"straight/checkpoints/step-00000100/{file}"]), File.ReadAllBytes(world[$"killed/checkpoints/step-00000100/{file}"]));
        }

        Assert.Equal(Losses("straight"), Losses("killed"));
        Assert.Empty(Hidden());

        int Newest() => RunFolder.Checkpoints(world["killed"]) is [var newest, ..] ? RunFolder.StepOf(newest)!.Value : 0;

        string[] Hidden() => Directory.Exists(world["killed/checkpoints"]) ? Directory.GetDirectories(world["killed/checkpoints"], ".*") : [];

        string[] Losses(string run) => [.. File.ReadLines(world[run + "/metrics.jsonl"]).Select(l => l.Split("\"tokens_per_second\"")[0])];
    }
}
