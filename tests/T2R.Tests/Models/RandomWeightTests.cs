using T2R.Interop;
using T2R.Models;
using T2R.Tests.Conversion;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

public class RandomWeightTests
{
    // The first three numbers and the last, as bits of fp32. They must never change: a seed is a promise.
    [Theory]
    [InlineData("embedding.weight", "3ca837f1 bc8ba9ae bcc323be bc382963")]
    [InlineData("blocks.1.mixer.o_proj.weight", "3b80a503 bc3382d7 bb91ac51 3c5195ae")]
    [InlineData("head.weight", "3c3637d0 bd12f8e5 bacb7103 bbaccab2")]
    public void A_seed_means_these_numbers(string name, string expected)
    {
        using var weights = WeightSet.Random(TinyTransformer.Config, 5, CPU);
        var bits = TensorMemory.AsSpan<uint>(weights[name]);
        Assert.Equal(expected, $"{bits[0]:x8} {bits[1]:x8} {bits[2]:x8} {bits[^1]:x8}");
    }

    [Fact]
    public void One_thread_and_several_draw_the_same_bits()
    {
        var spec = new WeightSpec("blocks.0.mlp.gate_proj.weight", [1501, 2003]);
        var weight = new RandomWeight(TinyTransformer.Config, spec, 9);
        using var one = weight.Draw(ScalarType.BFloat16);
        int threads = get_num_threads();
        set_num_threads(4);
        try
        {
            using var four = weight.Draw(ScalarType.BFloat16);
            Assert.True(TensorMemory.Bytes(one).SequenceEqual(TensorMemory.Bytes(four)));
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    public void Every_dtype_holds_the_fp32_numbers_rounded(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        foreach (var spec in WeightLayout.Of(TinyTransformer.Config).Where(s => s.Name.StartsWith("blocks.0.", StringComparison.Ordinal)))
        {
            var weight = new RandomWeight(TinyTransformer.Config, spec, 3);
            Assert.True(weight.Draw(ScalarType.Float32).to(dtype).equal(weight.Draw(dtype)).all().item<bool>(), spec.Name);
        }
    }

    [Fact]
    public void Deviations_are_GPT2s_and_norms_are_1()
    {
        using var scope = NewDisposeScope();
        var config = TinyTransformer.Config with { HiddenSize = 256, IntermediateSize = 512 };
        using var weights = WeightSet.Random(config, 1, CPU);
        foreach (var (spec, tensor) in weights.All)
        {
            if (spec.IsNorm)
            {
                Assert.True(tensor.eq(1).all().item<bool>());
                continue;
            }

            double expected = spec.Name.Contains("o_proj") || spec.Name.Contains("down_proj") ? 0.02 / Math.Sqrt(6) : 0.02;
            Assert.Equal(expected, tensor.std().item<float>(), expected * 5 / Math.Sqrt(2 * spec.Count));
            Assert.Equal(0, tensor.mean().item<float>(), expected * 5 / Math.Sqrt(spec.Count));
        }
    }

    [Fact]
    public void Weights_of_other_names_and_seeds_are_other_numbers_and_no_tensor_is_left()
    {
        long before = TensorCount.Settled();
        using (var a = WeightSet.Random(TinyTransformer.Config, 1, CPU))
        using (var b = WeightSet.Random(TinyTransformer.Config, 2, CPU))
        {
            float[] firsts = [.. a.All.Concat(b.All).Where(w => !w.Spec.IsNorm).Select(w => TensorMemory.AsSpan<float>(w.Tensor)[0])];
            Assert.Equal(firsts.Length, firsts.Distinct().Count());
        }

        Assert.Equal(before, Tensor.TotalCount);
    }
}
