using System.Runtime.InteropServices;
using T2R.Recipes;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

public class OutOfMemoryTests
{
    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_card_that_fills_up_ends_the_run_with_one_message_and_the_run_goes_on_when_there_is_room()
    {
        using var world = new SmallWorld();
        string[] overrides = ["training.steps=8", "training.checkpoint_every=3"];
        using (var ballast = new Ballast(step: 4))
        {
            var error = Assert.Throws<RunOutOfMemoryException>(() => Train(world, overrides, ballast));
            Assert.True(error.Shortage.OnCard);
            Assert.True(error.Shortage.Wanted > 0);
            Assert.True(error.Shortage.Card!.Value.Used > 0.95 * error.Shortage.Card.Value.Total, error.Message);
            Assert.EndsWith("step-00000003", error.Checkpoint, StringComparison.Ordinal);
            Assert.Contains(error.Checkpoint!, error.Message);
            Assert.Contains("weights", error.Message);
            Assert.Contains("training.recompute=full", error.Message);
            TestContext.Current.SendDiagnosticMessage(error.Message);
        }

        Gpu.ReleaseCache();
        Assert.Equal(8, Train(world, overrides).Steps);
    }

    private static TrainingResult Train(SmallWorld world, string[] overrides, params ITrainingObserver[] observers)
    {
        using var scope = NewDisposeScope();
        using var plan = RecipePlan.Of(Recipe.Load(world.RecipePath, overrides));
        return new RecipeRun(plan, world["run"], new RunWatch(Observers: observers), TestContext.Current.CancellationToken).Training();
    }

    // Takes all that is left of the card at a step, also what libtorch's allocator holds for the next.
    private sealed class Ballast(int step) : ITrainingObserver, IDisposable
    {
        private readonly List<Tensor> _taken = [];

        public void Stepped(StepMetrics metrics)
        {
            for (long bytes = metrics.Step == step ? 1L << 34 : 0; bytes >= 1L << 16;)
            {
                try
                {
                    _taken.Add(empty(bytes, ScalarType.Byte, CUDA).DetachFromDisposeScope());
                }
                catch (ExternalException)
                {
                    bytes /= 2;
                }
            }
        }

        public void Evaluated(EvaluationMetrics metrics)
        {
        }

        public void Warned(string sentence) => Assert.Contains("as tensor operators", sentence, StringComparison.Ordinal);

        public void Dispose() => _taken.ForEach(t => t.Dispose());
    }
}
