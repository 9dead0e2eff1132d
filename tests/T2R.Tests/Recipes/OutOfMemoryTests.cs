using T2R.Cli;
using T2R.Recipes;
using T2R.Tests.Training;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Recipes;

public class OutOfMemoryTests
{
    private const string OfLibTorch = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.00 GiB is free.\nException raised from malloc";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_run_without_memory_says_what_was_planned_and_what_to_change_and_goes_on_from_its_checkpoint_later()
    {
        using var world = new TinyWorld();
        string[] overrides = ["training.checkpoint_every=2", "training.accumulation_steps=2"];
        world.Run("straight", cancellation: Cancellation, overrides: overrides);
        var failing = new Recorder(m =>
        {
            if (m.Step == 5)
            {
                throw new LibTorchError(OfLibTorch);
            }
        });
        var error = Assert.Throws<RunOutOfMemoryException>(() => world.Run("run", new RunWatch(Observers: [failing]), Cancellation, overrides));

        Assert.EndsWith("step-00000004", error.Checkpoint, StringComparison.Ordinal);
        Assert.Equal(2L << 30, error.Shortage.Wanted);
        string said = Assert.Single(Failure.Sentences(error));
        Assert.StartsWith("out of memory on the card: 2.0 GiB more were asked for", said, StringComparison.Ordinal);
        using (var plan = world.Plan(overrides))
        {
            Assert.All(plan.Memory.Parts, p => Assert.Contains(p.Name, said));
        }

        Assert.Contains(error.Checkpoint!, said);
        Assert.True(said.IndexOf("training.recompute=full", StringComparison.Ordinal) < said.IndexOf("in a new run", StringComparison.Ordinal), said);
        Assert.True(said.IndexOf("training.optimizer.name=adamw_8bit", StringComparison.Ordinal) > said.IndexOf("in a new run", StringComparison.Ordinal), said);
        Assert.DoesNotContain("Exception raised", said);
        Assert.Equal(1, Failure.Report(error));

        world.Run("run", cancellation: Cancellation, overrides: overrides);
        Assert.Equal(File.ReadAllBytes(world["straight/export/model.safetensors"]), File.ReadAllBytes(world["run/export/model.safetensors"]));
    }

    [Fact]
    public void A_run_without_a_checkpoint_says_so()
    {
        using var world = new TinyWorld();
        var error = Assert.Throws<RunOutOfMemoryException>(() => world.Run("run", new RunWatch(Measured: (_, _) => throw new InsufficientMemoryException("no memory")), Cancellation));
        Assert.Null(error.Checkpoint);
        Assert.StartsWith("out of memory on the host: this process holds ", error.Message, StringComparison.Ordinal);
        Assert.Contains("There is no checkpoint yet.", error.Message);
    }

    [Theory]
    [InlineData("training.distillation=null")]
    [InlineData("training.accumulation_steps=2", "training.optimizer.name=adamw_bf16", "training.micro_batch_size=3")]
    [InlineData("training.accumulation_steps=1", "training.optimizer.in_backward=true", "training.micro_batch_size=4", "training.recompute=full")]
    [InlineData("training.optimizer.offload=true", "training.offload_inputs=true", "dtype=bf16", "training.micro_batch_size=1")]
    public void Each_setting_that_is_advised_can_be_given_and_keeps_the_run_exactly_when_it_says_so(params string[] overrides)
    {
        using var world = new TinyWorld();
        var recipe = Recipe.Load(world.RecipePath, overrides);
        foreach (var (onCard, hasCard) in new[] { (false, false), (true, true), (false, true) })
        {
            var settings = LessMemory.For(recipe, recipe.Dtype ?? ScalarType.Float32, onCard, hasCard).ToList();
            Assert.True(settings.Count > 0 || hasCard != onCard);
            foreach (var setting in settings)
            {
                var changed = Recipe.Load(world.RecipePath, [.. overrides, .. setting.Overrides.Split(' ')]);
                Assert.NotEqual(recipe.Resolved, changed.Resolved);
                Assert.True(changed.Training is { Optimizer.InBackward: false } or { AccumulationSteps: 1 }, setting.Overrides);
                bool keeps = changed.Dtype == recipe.Dtype && !OptionChanges.Between(recipe.Training, changed.Training, "runs/x").Any();
                Assert.True(setting.KeepsRun == keeps, setting.Overrides);
            }
        }
    }
}
