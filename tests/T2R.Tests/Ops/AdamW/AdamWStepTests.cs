using T2R.Ops.AdamW;
using Xunit;

namespace T2R.Tests.Ops.AdamW;

public class AdamWStepTests
{
    [Theory]
    [InlineData(1, 0.9, 0.95)]
    [InlineData(7, 0.9, 0.95)]
    [InlineData(300, 0.9, 0.999)]
    [InlineData(20, 0.95, 0.9)]
    [InlineData(9, 0.9, 0.81)]
    [InlineData(5, 0, 0.9)]
    [InlineData(5, 0, 0)]
    public void The_bound_is_what_the_worst_gradients_reach_and_no_others_pass(int steps, double beta1, double beta2)
    {
        double bound = AdamWStep.LargestRatio(steps, beta1, beta2);

        // The gradient i steps back that Cauchy and Schwarz have in mind.
        if (beta2 > 0)
        {
            Assert.Equal(bound, Ratio(steps, beta1, beta2, i => Math.Pow(beta1 / beta2, i)), 1e-9 * bound);
        }

        var random = new Random(2);
        for (int trial = 0; trial < 200; trial++)
        {
            Assert.InRange(Math.Abs(Ratio(steps, beta1, beta2, _ => Math.Exp(4 * random.NextDouble()) * (trial % 2 == 0 ? 1 : random.NextDouble() - 0.3))), 0, bound * (1 + 1e-9));
        }
    }

    [Fact]
    public void Without_a_memory_of_squares_there_is_no_bound() => Assert.Equal(double.PositiveInfinity, AdamWStep.LargestRatio(2, 0.9, 0));

    private static double Ratio(int steps, double beta1, double beta2, Func<int, double> gradient)
    {
        double m = 0, v = 0;
        for (int i = steps - 1; i >= 0; i--)
        {
            double g = gradient(i);
            (m, v) = ((beta1 * m) + ((1 - beta1) * g), (beta2 * v) + ((1 - beta2) * g * g));
        }

        return m / (1 - Math.Pow(beta1, steps)) / Math.Sqrt(v / (1 - Math.Pow(beta2, steps)));
    }
}
