using T2R.Interop;
using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>Moments in host memory against moments on the card, and both against the CPU: the same bits.</summary>
public class AdamWTests
{
    // Of two pieces, of one, and of one that ends within a block; a vector stays on the card.
    private static readonly (string Name, long[] Shape)[] Shapes = [("large", [2100, 2100]), ("small", [300, 256]), ("odd", [33, 77]), ("vector", [500])];

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(OptimizerName.AdamW, ScalarType.BFloat16)]
    [InlineData(OptimizerName.AdamW, ScalarType.Float32)]
    [InlineData(OptimizerName.AdamWBf16, ScalarType.BFloat16)]
    [InlineData(OptimizerName.AdamW8Bit, ScalarType.BFloat16)]
    [InlineData(OptimizerName.AdamW8Bit, ScalarType.Float32)]
    public void Offloaded_moments_give_the_same_bits(OptimizerName name, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        TrainedWeight[] onCpu = Weights(dtype, CPU), resident = Weights(dtype, CUDA), offloaded = Weights(dtype, CUDA);
        using AdamW a = Make(name, onCpu, false), b = Make(name, resident, false), c = Make(name, offloaded, true);
        for (int step = 1; step <= 5; step++)
        {
            Step(a, step, dtype, CPU, [["large", "small", "odd", "vector"]], [[]]);
            Step(b, step, dtype, CUDA, [["large", "small", "odd", "vector"]], [[]]);

            // As a backward does: each group is expected, then comes; once in another order, once without having been expected, once with a weight that gets no gradient.
            string[][] groups = step == 4 ? [["odd"], ["vector", "large", "small"]] : [["small", "vector"], ["odd"], ["large"]];
            string[][] expected = step switch { 2 => [["large"], ["small", "odd"], []], 3 => [[], [], []], 4 => [["small", "odd"], ["large"]], _ => groups };
            Step(c, step, dtype, CUDA, groups, expected);
        }

        MustBeEqual(onCpu, resident);
        MustBeEqual(onCpu, offloaded);
        foreach (var (expected, actual) in a.State.Zip(c.State))
        {
            Assert.Equal(expected.Name, actual.Name);
            MustBeEqual(expected.Name, expected.Tensor, actual.Tensor);
        }
    }

    [Theory(Skip = "no two CUDA devices", SkipUnless = nameof(Gpu.TwoPresent), SkipType = typeof(Gpu))]
    [InlineData(false)]
    [InlineData(true)]
    public void The_second_card_gives_the_same_bits(bool offload)
    {
        using var scope = NewDisposeScope();
        TrainedWeight[] onCpu = Weights(ScalarType.BFloat16, CPU), onCard = Weights(ScalarType.BFloat16, Gpu.Second);
        using AdamW a = Make(OptimizerName.AdamW8Bit, onCpu, false), b = Make(OptimizerName.AdamW8Bit, onCard, offload);
        string[][] all = [["large", "small", "odd", "vector"]];
        for (int step = 1; step <= 3; step++)
        {
            Step(a, step, ScalarType.BFloat16, CPU, all, [[]]);
            Step(b, step, ScalarType.BFloat16, Gpu.Second, all, all);
        }

        MustBeEqual(onCpu, onCard);
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(OptimizerName.AdamW)]
    [InlineData(OptimizerName.AdamW8Bit)]
    public void Offloaded_moments_are_restored_to_the_bit(OptimizerName name)
    {
        using var scope = NewDisposeScope();
        TrainedWeight[] straight = Weights(ScalarType.BFloat16, CUDA), resumed = Weights(ScalarType.BFloat16, CUDA);
        using var first = Make(name, straight, true);
        string[][] all = [["large", "small", "odd", "vector"]];
        Step(first, 1, ScalarType.BFloat16, CUDA, all, all);
        Step(first, 2, ScalarType.BFloat16, CUDA, all, all);
        using var second = Make(name, resumed, true);
        foreach (var (done, fresh) in straight.Zip(resumed))
        {
            fresh.Tensor.copy_(done.Tensor);
        }

        second.Restore(first.Steps, key => first.State.Single(s => s.Name == key).Tensor);
        Step(first, 3, ScalarType.BFloat16, CUDA, all, all);
        Step(second, 3, ScalarType.BFloat16, CUDA, all, all);
        MustBeEqual(straight, resumed);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void Offloading_leaves_no_tensor_behind()
    {
        using var scope = NewDisposeScope();
        var weights = Weights(ScalarType.BFloat16, CUDA);
        string[][] all = [["large", "small", "odd", "vector"]];
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long before = Tensor.TotalCount;
        using (var optimizer = Make(OptimizerName.AdamW8Bit, weights, true))
        {
            long made = Tensor.TotalCount;
            Step(optimizer, 1, ScalarType.BFloat16, CUDA, all, all);
            Step(optimizer, 2, ScalarType.BFloat16, CUDA, all, [[]]);
            Assert.Equal(made, Tensor.TotalCount);
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    private static AdamW Make(OptimizerName name, TrainedWeight[] weights, bool offload) => new(new AdamWOptions { Name = name, Offload = offload }, weights);

    private static TrainedWeight[] Weights(ScalarType dtype, Device device)
    {
        using var generator = new Generator(1, CPU);
        return [.. Shapes.Select(s => new TrainedWeight(s.Name, empty(s.Shape).normal_(0, 1, generator).to(s.Shape.Length == 1 ? ScalarType.Float32 : dtype).to(device), 1, 0.1))];
    }

    // The gradients' memory is overwritten as soon as they were given, as a backward that goes on would.
    private static void Step(AdamW optimizer, int step, ScalarType dtype, Device device, string[][] groups, string[][] expected)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)step, CPU);
        var drawn = Shapes.ToDictionary(s => s.Name, s => empty(s.Shape).normal_(0, 1, generator).to(s.Shape.Length == 1 ? ScalarType.Float32 : dtype));
        optimizer.BeginStep(0.01, 0.5);
        foreach (var (group, names) in groups.Zip(expected))
        {
            optimizer.Expect(names);
            using var gradients = new Gradients();
            foreach (string name in group)
            {
                gradients.Add(name, drawn[name].to(device, copy: true));
            }

            optimizer.Update(gradients);
            gradients.Clear();
            foreach (string name in group)
            {
                using var other = full(drawn[name].shape, float.NaN, drawn[name].dtype, device);
            }
        }

        optimizer.EndStep();
    }

    private static void MustBeEqual(TrainedWeight[] expected, TrainedWeight[] actual)
    {
        foreach (var (a, b) in expected.Zip(actual))
        {
            MustBeEqual(a.Name, a.Tensor, b.Tensor);
        }
    }

    private static void MustBeEqual(string name, Tensor expected, Tensor actual)
    {
        using Tensor a = expected.cpu(), b = actual.cpu();
        Assert.True(TensorMemory.Bytes(a).SequenceEqual(TensorMemory.Bytes(b)), $"{name}: {a.ne(b).sum().item<long>()} of {a.numel()} differ");
    }
}
