using T2R.Interop;
using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Optimizers;

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

    [Theory]
    [InlineData(OptimizerName.AdamW, "mean.m, square.m, master.m, mean.v, square.v")]
    [InlineData(OptimizerName.AdamWBf16, "mean.m, square.m, mean.v, square.v")]
    [InlineData(OptimizerName.AdamW8Bit, "mean.m, root.m, mean_scale.m, root_scale.m, mean.v, square.v")]
    public void A_restored_optimizer_goes_on_with_the_same_bits(OptimizerName name, string state)
    {
        using var scope = NewDisposeScope();
        TrainedWeight[] a = Weights(), b = Weights();
        using var first = new AdamW(Options with { Name = name }, a);
        Assert.Equal(state, string.Join(", ", first.State.Select(s => s.Name)));
        Step(first, 1);
        Step(first, 2);
        foreach (var (stepped, fresh) in a.Zip(b))
        {
            fresh.Tensor.copy_(stepped.Tensor);
        }

        using var second = new AdamW(Options with { Name = name }, b);
        second.Restore(first.Steps, key => first.State.Single(s => s.Name == key).Tensor);
        Step(first, 3);
        Step(second, 3);
        Assert.Equal(3, second.Steps);
        MustBeEqual(a, b);
        Assert.All(first.State.Zip(second.State), pair => Assert.True(TensorMemory.Bytes(pair.First.Tensor).SequenceEqual(TensorMemory.Bytes(pair.Second.Tensor)), pair.First.Name));
    }

    [Theory]
    [InlineData(OptimizerName.AdamW)]
    [InlineData(OptimizerName.AdamWBf16)]
    [InlineData(OptimizerName.AdamW8Bit)]
    public void Several_updates_in_a_step_are_one(OptimizerName name)
    {
        using var scope = NewDisposeScope();
        TrainedWeight[] a = Weights(), b = Weights();
        using var one = new AdamW(Options with { Name = name }, a);
        using var several = new AdamW(Options with { Name = name }, b);
        for (int step = 1; step <= 3; step++)
        {
            Step(one, step);
            Step(several, step, "v", "m");
        }

        MustBeEqual(a, b);
    }

    [Theory]
    [InlineData(OptimizerName.AdamWBf16)]
    [InlineData(OptimizerName.AdamW8Bit)]
    public void Weights_of_equal_values_are_rounded_each_by_chances_of_its_own(OptimizerName name)
    {
        using var scope = NewDisposeScope();
        TrainedWeight[] weights = [new("a", ones(40, 50, ScalarType.BFloat16), 1, 0), new("b", ones(40, 50, ScalarType.BFloat16), 1, 0)];
        using var optimizer = new AdamW(Options with { Name = name }, weights);
        using var gradients = new Gradients();
        gradients.Add("a", ones(40, 50));
        gradients.Add("b", ones(40, 50));
        optimizer.BeginStep(1e-3, 1);
        optimizer.Update(gradients);
        var rounded = weights[0].Tensor.ne(1);
        Assert.InRange(rounded.sum().item<long>(), 400, 620); // 1e-3 of a distance of 2⁻⁸: 512 of 2000
        Assert.InRange(rounded.eq(weights[1].Tensor.ne(1)).sum().item<long>(), 1100, 1400);
    }

    [Theory]
    [InlineData(OptimizerName.AdamW)]
    [InlineData(OptimizerName.AdamWBf16)]
    [InlineData(OptimizerName.AdamW8Bit)]
    public void It_leaves_no_tensor_behind(OptimizerName name)
    {
        using var scope = NewDisposeScope();
        var weights = Weights();
        long before = TensorCount.Settled();
        using (var optimizer = new AdamW(Options with { Name = name }, weights))
        {
            long made = Tensor.TotalCount;
            Step(optimizer, 1);
            Step(optimizer, 2, "m", "v");
            Assert.Equal(made, Tensor.TotalCount);
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void Weights_of_other_types_do_not_step()
    {
        using var scope = NewDisposeScope();
        using var optimizer = new AdamW(Options, [new TrainedWeight("w", zeros(3, ScalarType.Float16), 1, 0)]);
        using var gradients = new Gradients();
        gradients.Add("w", ones(3));
        optimizer.BeginStep(1, 1);
        Assert.Contains("Float16", Assert.Throws<ArgumentException>(() => optimizer.Update(gradients)).Message);
    }

    [Theory]
    [InlineData(OptimizerName.AdamW)]
    [InlineData(OptimizerName.AdamWBf16)]
    [InlineData(OptimizerName.AdamW8Bit)]
    public void Small_steps_are_not_lost_in_bfloat16(OptimizerName name)
    {
        using var scope = NewDisposeScope();
        var weight = new TrainedWeight("w", ones(20, 20, ScalarType.BFloat16), 1, 0);
        using var optimizer = new AdamW(Options with { Name = name }, [weight]);
        for (int i = 0; i < 100; i++)
        {
            using var gradients = new Gradients();
            gradients.Add("w", ones(20, 20, ScalarType.BFloat16));
            optimizer.BeginStep(1e-3, 1);
            optimizer.Update(gradients);
        }

        Assert.Equal(0.9, weight.Tensor.to(ScalarType.Float64).mean().item<double>(), 0.003);
    }

    // A bf16 matrix and a vector.
    private static TrainedWeight[] Weights() => [new("m", ones(50, 20, ScalarType.BFloat16), 1, 0.1), new("v", ones(50), 2, 0)];

    // In one update, or in one for each name.
    private static void Step(AdamW optimizer, int seed, params string[] names)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed, CPU);
        Dictionary<string, Tensor> drawn = new() { ["m"] = empty(50, 20).normal_(0, 1, generator).to(ScalarType.BFloat16), ["v"] = empty(50).normal_(0, 1, generator) };
        optimizer.BeginStep(0.01, 0.5);
        foreach (var part in names.Length == 0 ? [["m", "v"]] : names.Select(n => new[] { n }))
        {
            using var gradients = new Gradients();
            part.ToList().ForEach(n => gradients.Add(n, drawn[n]));
            optimizer.Expect(part);
            optimizer.Update(gradients);
        }

        optimizer.EndStep();
    }

    private static void MustBeEqual(TrainedWeight[] a, TrainedWeight[] b) =>
        Assert.All(a.Zip(b), pair => Assert.True(TensorMemory.Bytes(pair.First.Tensor).SequenceEqual(TensorMemory.Bytes(pair.Second.Tensor)), pair.First.Name));

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
