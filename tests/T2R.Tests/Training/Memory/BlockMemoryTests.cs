using T2R.Mixers;
using T2R.Models;
using T2R.Ops;
using T2R.Training;
using T2R.Training.Memory;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Memory;

public class BlockMemoryTests
{
    public static TheoryData<bool, string[]> Cases => new()
    {
        { true, [] }, { false, [] }, { true, ["*.mlp.down_proj.*"] }, { true, ["*.mixer.*", "*.mlp.gate_proj.*"] }, { false, ["*.mixer.*"] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_a_recorded_block_leaves_is_what_was_planned(bool gated, string[] adapted)
    {
        const long Batch = 2, Length = 300;
        using var scope = NewDisposeScope();
        var config = Tiny.Config(true, gated ? Tiny.Slots : Tiny.Softmax) with { Lora = adapted.Length == 0 ? null : new LoraConfig(2, 2, [.. adapted]) };
        using var model = Tiny.Model(config, 1, ScalarType.BFloat16);
        using var context = new SequenceContext(Batch, Length, CPU) { Workspace = Workspace.Standard with { Slots = 640 } };
        using var tape = Tape.Record();
        using (no_grad())
        {
            model.Blocks[0].Forward(randn([Batch, Length, config.HiddenSize], ScalarType.BFloat16), context, tape: tape);
        }

        tape.Rewind();
        long bytes = 0;
        while (tape.Take() is { } kept)
        {
            bytes += kept.numel() * kept.element_size();
        }

        Assert.Equal(bytes, new BlockMemory(config, 0, Batch, Length, ScalarType.BFloat16, Workspace.Standard with { Slots = 640 }, onCard: false).Waiting(RecomputePolicy.Selective));
    }

    // Rounded gradients of gate and up, twice; the MLP's weights; what is between the output norm and its product.
    [Fact]
    public void Products_in_FP8_hold_what_is_rounded_beside_what_is_not()
    {
        var config = Tiny.Config(true, Tiny.Slots) with { HiddenSize = 4096, IntermediateSize = 14336 };
        long Mlp(bool fp8, RecomputePolicy policy) =>
            new BlockMemory(config, 0, 4, 2048, ScalarType.BFloat16, new Workspace(1, 1L << 27), onCard: true, fp8).MlpBackward(policy);
        long wide = 8192L * 14336 * 2, weights = 3L * 4096 * 14336, normed = 8192L * config.Mixers[0].QuerySize * 2;
        Assert.Equal((2 * wide) + weights + normed, Mlp(true, RecomputePolicy.Full) - Mlp(false, RecomputePolicy.Full));
        Assert.Equal((3 * wide) + weights + normed, Mlp(true, RecomputePolicy.Selective) - Mlp(false, RecomputePolicy.Selective));
    }

    [Fact]
    public void An_adapter_on_the_MLP_takes_its_chunks_apart()
    {
        var config = Tiny.Config(true, Tiny.Slots) with { IntermediateSize = 14336 };
        long Mlp(string target) =>
            new BlockMemory(config with { Lora = new LoraConfig(2, 2, [target]) }, 0, 4, 2048, ScalarType.BFloat16, Workspace.Standard, onCard: false).MlpBackward(RecomputePolicy.Full);

        // Gate, up and product, and the gradients of all three; not four for some tokens.
        long whole = 8192L * 14336 * 2, chunk = 2L << 24;
        Assert.Equal((6 * whole) - (4 * chunk), Mlp("*.mlp.up_proj.*") - Mlp("*.mixer.q_proj.*") - (8192L * config.HiddenSize * 2));
    }
}
