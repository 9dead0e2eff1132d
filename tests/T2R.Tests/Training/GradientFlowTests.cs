using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

public class GradientFlowTests
{
    [Fact]
    public void Gradients_that_step_in_the_backward_leave_their_norm_alone()
    {
        using var scope = NewDisposeScope();
        using var optimizer = new AdamW(new AdamWOptions(), [new("a", ones(5, 5), 1, 0), new("b", ones(3), 1, 0), new("c", ones(2, 2), 1, 0)]);
        using var gradients = new Gradients();
        using var flow = new GradientFlow(gradients, optimizer, CPU);
        optimizer.BeginStep(1e-3, 1);
        long before = TensorCount.Settled();
        using (NewDisposeScope())
        {
            foreach (var (name, gradient) in new[] { ("a", ones(5, 5)), ("b", ones(3) * 2), ("c", ones(2, 2) * 3) })
            {
                flow.Add(name, gradient);
                flow.Flush();
            }
        }

        Assert.Equal(Math.Sqrt(25 + 12 + 36), flow.Norm(), 1e-5);
        Assert.Equal(before, Tensor.TotalCount);
    }
}
