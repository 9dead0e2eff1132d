using T2R.Data;
using T2R.Evaluation;
using T2R.Tests.Checkpoints;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

public class TensorCountTests
{
    [Fact]
    public void The_number_of_tensors_does_not_grow_from_step_to_step()
    {
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Softmax, Tiny.Slots), 1);
        using var teacher = Tiny.Model(Tiny.Config(true, Tiny.Softmax, Tiny.Softmax), 2);
        var counts = new List<long>();
        var options = Tiny.Options(12) with
        {
            AccumulationSteps = 2,
            EvaluateEvery = 3,
            CheckpointEvery = 5,
            Recompute = RecomputePolicy.Full,
            Distillation = new DistillationOptions(),
            Stages = [new TrainingStage("mixers") { Steps = 6, Objective = StageObjective.Mixers }, new TrainingStage("all")],
        };

        // An autograd function of ours keeps what it returned last until its next call: the first run is not counted.
        Train(_ => { });
        CollectWhatOthersLeft();
        long before = TensorCount.Settled();
        Train(_ =>
        {
            // A checkpoint may still be being written, from a copy, while the next steps are taken.
            if (counts.Count is 0 or 6)
            {
                Thread.Sleep(300);
            }
            else
            {
                SpinWait.SpinUntil(() => Tensor.TotalCount == counts[^1], TimeSpan.FromSeconds(5));
            }

            counts.Add(Tensor.TotalCount);
        });

        Assert.Single(counts[..6].Distinct());
        Assert.Single(counts[6..].Distinct());
        Assert.Equal(before, Tensor.TotalCount);

        void Train(Action<StepMetrics> onStep)
        {
            using var folder = new TemporaryFolder();
            TrainerTests.Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1), Tiny.Text(2, 200), teacher), new Recorder(onStep));
        }
    }

    [Fact]
    public void An_evaluation_leaves_no_tensor_behind()
    {
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Softmax), 1);
        var windows = new PackedWindows(Tiny.Text(3), 50, 0);
        long before = TensorCount.Settled();
        Perplexity.Of(model, windows.Sequential(5, batchSize: 2), true);
        Assert.Equal(before, Tensor.TotalCount);
    }

    // What the threads of tests before this one still held would vanish some time during it.
    private static void CollectWhatOthersLeft()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}
