using T2R.Bench;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Bench;

public class BlockBenchTests
{
    private static readonly BlockShape Shape = new(Batch: 2, Length: 70, Hidden: 64, Intermediate: 96, Heads: 4, KeyValueHeads: 2, HeadDim: 32, Slots: 16);

    [Fact]
    public void Output_and_every_gradient_in_bf16_are_near_those_of_fp32()
    {
        var agreements = BlockBench.Compare(Shape, CPU);
        Assert.Equal(
            ["output", "input", "mixer_norm", "mixer.q_proj", "mixer.k_proj", "mixer.v_proj", "mixer.f_proj", "mixer.g_norm", "mixer.o_proj", "mlp_norm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"],
            agreements.Keys);
        BlockBench.Bar.Require(agreements);
        Assert.All(agreements.Values, a => Assert.True(a.Error > 1e-4));
    }

    [Fact]
    public void Nothing_is_left_in_memory()
    {
        BlockBench.Compare(Shape, CPU);
        long before = TensorCount.Settled();
        BlockBench.Compare(Shape, CPU);
        Assert.Equal(before, TensorCount.Settled());
    }
}
