using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

public class AdamWTests
{
    private static readonly AdamWOptions Options = new() { Beta1 = 0.9, Beta2 = 0.97, Epsilon = 1e-6 };

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Steps_are_those_of_the_formula_in_float64(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var random = new Random(4);
        Tensor Draw(int n) => tensor(Enumerable.Range(0, n).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray()).to(dtype);
        TrainedWeight[] weights = [new("a", Draw(37), 1, 0.1), new("b", Draw(5), 3, 0), new("c", Draw(5), 1, 0.1), new("without gradient", Draw(3), 1, 0.1)];
        double[][] expected = [.. weights.Select(w => Doubles(w.Tensor))];
        double[][] means = [.. expected.Select(p => new double[p.Length])], squares = [.. expected.Select(p => new double[p.Length])];
        using var optimizer = new AdamW(Options, weights);

        for (int t = 1; t <= 7; t++)
        {
            double rate = 0.02 / t, scale = t % 2 == 0 ? 0.3 : 1;
            using var gradients = new Gradients();
            for (int w = 0; w < 3; w++)
            {
                var gradient = Draw(expected[w].Length);
                Plain(expected[w], Doubles(gradient), means[w], squares[w], t, rate * weights[w].LearningRateMultiplier, weights[w].WeightDecay, scale);
                gradients.Add(weights[w].Name, gradient);
            }

            optimizer.BeginStep(rate, scale);
            optimizer.Update(gradients);
        }

        for (int w = 0; w < weights.Length; w++)
        {
            var held = dtype == ScalarType.Float32 ? weights[w].Tensor : optimizer.State.Single(s => s.Name == $"master.{weights[w].Name}").Tensor;
            Assert.Equal(expected[w], Doubles(held), (a, b) => Math.Abs(a - b) < 2e-6);
            Assert.True(held.to(dtype).equal(weights[w].Tensor).all().item<bool>());
        }
    }

    [Fact]
    public void A_restored_optimizer_goes_on_with_the_same_bits()
    {
        using var scope = NewDisposeScope();
        var a = new TrainedWeight("w", ones(50), 1, 0.1);
        var b = new TrainedWeight("w", ones(50), 1, 0.1);
        using var first = new AdamW(Options, [a]);
        Step(first, 1);
        Step(first, 2);
        b.Tensor.copy_(a.Tensor);
        using var second = new AdamW(Options, [b]);
        second.Restore(first.Steps, name => first.State.Single(s => s.Name == name).Tensor);
        Step(first, 3);
        Step(second, 3);
        Assert.Equal(3, second.Steps);
        Assert.True(a.Tensor.Equals(b.Tensor));

        static void Step(AdamW optimizer, int seed)
        {
            using var gradients = new Gradients();
            using var generator = new Generator((ulong)seed, CPU);
            gradients.Add("w", empty(50).normal_(0, 1, generator));
            optimizer.BeginStep(0.01, 0.5);
            optimizer.Update(gradients);
        }
    }

    [Fact]
    public void Small_steps_are_not_lost_in_bfloat16()
    {
        using var scope = NewDisposeScope();
        var weight = new TrainedWeight("w", ones(4, ScalarType.BFloat16), 1, 0);
        using var optimizer = new AdamW(Options, [weight]);
        for (int i = 0; i < 100; i++)
        {
            using var gradients = new Gradients();
            gradients.Add("w", ones(4, ScalarType.BFloat16));
            optimizer.BeginStep(1e-3, 1);
            optimizer.Update(gradients);
        }

        Assert.Equal(0.9, weight.Tensor[0].to(ScalarType.Float32).item<float>(), 0.003);
    }

    private static double[] Doubles(Tensor t) => t.to(ScalarType.Float64).data<double>().ToArray();

    private static void Plain(double[] p, double[] g, double[] m, double[] v, int t, double rate, double decay, double scale)
    {
        for (int i = 0; i < p.Length; i++)
        {
            double gi = g[i] * scale;
            p[i] -= rate * decay * p[i];
            m[i] = (Options.Beta1 * m[i]) + ((1 - Options.Beta1) * gi);
            v[i] = (Options.Beta2 * v[i]) + ((1 - Options.Beta2) * gi * gi);
            p[i] -= rate * (m[i] / (1 - Math.Pow(Options.Beta1, t))) / (Math.Sqrt(v[i] / (1 - Math.Pow(Options.Beta2, t))) + Options.Epsilon);
        }
    }
}
