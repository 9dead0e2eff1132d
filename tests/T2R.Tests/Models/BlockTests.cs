using T2R.Interop;
using T2R.Mixers;
using T2R.Models;
using T2R.Tests.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

public class BlockTests
{
    [Theory]
    [InlineData(false, null)]
    [InlineData(true, null)]
    [InlineData(false, "blocks.*.mixer.o_proj.weight")]
    [InlineData(true, "blocks.*.mixer.o_proj.weight")]
    [InlineData(true, "blocks.*.mlp.down_proj.weight")]
    public void Where_the_stream_lies_it_gives_what_it_gives_elsewhere(bool gated, string? adapted)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var config = Tiny.Config(true, gated ? Tiny.Slots : Tiny.Softmax);
        using var plain = new CausalLM(config, WeightSet.Random(config, 3, CPU));
        var model = plain.WithAdapters(adapted is null ? null : new LoraConfig(2, 2, [adapted]), 5);
        foreach (var (spec, tensor) in model.Weights.All.Where(w => LoraConfig.IsAdapter(w.Spec.Name)))
        {
            tensor.normal_();
        }

        var block = model.Blocks[0];
        using var expectedState = block.Mixer.CreateState(2);
        using var actualState = block.Mixer.CreateState(2);
        foreach (int offset in new[] { 0, 70 })
        {
            var x_BTD = randn(2, 70, config.HiddenSize);
            using var context = new SequenceContext(2, 70, CPU, offset: offset);
            var expected = block.Forward(x_BTD, context, expectedState);
            var stream = x_BTD.clone();
            var actual = block.Advance(stream, context, actualState);
            Assert.InRange((actual - expected).norm().item<float>() / expected.norm().item<float>(), 0, 1e-6);
            Assert.Equal(adapted?.Contains("mlp", StringComparison.Ordinal) != true, TensorMemory.DataPointer(stream) == TensorMemory.DataPointer(actual));
        }
    }
}
