using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

public class StageRunTests
{
    [Fact]
    public void A_stage_that_cannot_begin_leaves_weights_and_memory_as_they_were()
    {
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Softmax, Tiny.Slots), 1);
        using var gradients = new Gradients();
        var options = Tiny.Options(2);
        var plan = new StagePlan(new TrainingStage("strange") { Objective = (StageObjective)9 }, 0, 0, 2);
        long before = TensorCount.Settled();
        Assert.Throws<ArgumentOutOfRangeException>(() => new StageRun(plan, options, new TrainingInputs(model, Tiny.Text(1)), gradients, 0));
        Assert.Equal(before, Tensor.TotalCount);
        Assert.All(model.Weights.All, w => Assert.False(w.Tensor.requires_grad));
    }

    [Fact]
    public void An_optimizer_that_cannot_begin_leaves_no_moments()
    {
        using var scope = NewDisposeScope();
        TrainedWeight[] weights = [new("vector", ones(5), 1, 0), new("matrix", ones(5, 5), 1, 0)];
        long before = TensorCount.Settled();
        Assert.Throws<ArgumentOutOfRangeException>(() => new AdamW(new AdamWOptions { Name = (OptimizerName)9 }, weights));
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void Moments_that_find_no_memory_leave_none_behind()
    {
        using var scope = NewDisposeScope();
        var weight = new TrainedWeight("matrix", ones(5, 5), 1, 0);
        int made = 0;
        long before = TensorCount.Settled();
        Assert.Throws<InsufficientMemoryException>(() => new Moments(
            weight, OptimizerName.AdamW, (dtype, shape) => made++ == 0 ? empty(shape, dtype) : throw new InsufficientMemoryException()));
        Assert.Equal(before, Tensor.TotalCount);
    }
}
