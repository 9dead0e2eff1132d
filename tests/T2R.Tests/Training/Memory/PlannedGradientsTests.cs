using T2R.Models;
using T2R.Training;
using T2R.Training.Memory;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Memory;

public class PlannedGradientsTests
{
    private static readonly ModelConfig Tied = Tiny.Config(true, Tiny.Slots, Tiny.Slots), Untied = Tiny.Config(false, Tiny.Slots, Tiny.Slots);

    private static readonly long Vocabulary = 2L * Tiny.Vocabulary * Tied.HiddenSize, Mlp = Of(".mlp"), Mixer = Of(".mixer");

    [Fact]
    public void They_gather_from_the_head_to_the_embedding()
    {
        var gradients = Plan(Untied);
        Assert.Equal(Vocabulary, gradients.InLoss);
        Assert.Equal(Vocabulary + Mlp, gradients.InMlp(1));
        Assert.Equal(Vocabulary + Mlp + Mixer, gradients.InMixer(1));
        Assert.Equal(Vocabulary + (2 * (Mlp + Mixer)), gradients.InMixer(0));
        Assert.Equal((2 * Vocabulary) + (2 * (Mlp + Mixer)), gradients.InStep);
    }

    [Fact]
    public void Those_of_a_tied_head_and_its_embedding_become_one_sum()
    {
        var gradients = Plan(Tied);
        Assert.Equal(2 * (Mlp + Mixer), gradients.InEmbedding - (4 * Vocabulary));
        Assert.Equal(2 * (Mlp + Mixer), gradients.InStep - (2 * Vocabulary));
        Assert.Equal(4 * Vocabulary, Plan(Tied, inBackward: true).InEmbedding);
    }

    [Fact]
    public void A_tied_head_waits_while_the_blocks_step()
    {
        Assert.Equal(Vocabulary + Mlp, Plan(Tied, inBackward: true).InMlp(0));
        Assert.Equal(Vocabulary + Mixer, Plan(Tied, inBackward: true).InMixer(0));
        Assert.Equal(Mixer, Plan(Untied, inBackward: true).InMixer(0));
    }

    [Fact]
    public void Offloaded_updates_go_on_beside_the_next_backward()
    {
        var gradients = Plan(Untied, inBackward: true, offload: true);
        Assert.Equal(Vocabulary + Mlp, gradients.InMlp(1));
        Assert.Equal(Mixer + Mlp, gradients.InMlp(0));
        Assert.Equal(Mlp + Mixer, gradients.InMixer(0));
        Assert.Equal(Mixer + Vocabulary, gradients.InEmbedding);
    }

    [Fact]
    public void Micro_batches_add_to_fp32_sums_of_all()
    {
        var gradients = Plan(Untied, parts: 2);
        long sums = 4 * WeightLayout.Of(Untied).Sum(s => s.Count);
        Assert.Equal((sums + Vocabulary, sums + Mlp, sums + Mixer), (gradients.InLoss, gradients.InMlp(0), gradients.InMixer(1)));
        Assert.Equal((sums + Vocabulary, sums), (gradients.InEmbedding, gradients.InStep));
    }

    private static long Of(string part) => PlannedGradients.Bytes(WeightLayout.OfBlock(Tied, 0).Where(s => s.Name.Contains(part, StringComparison.Ordinal)), ScalarType.BFloat16);

    // The final norm is left out.
    private static PlannedGradients Plan(ModelConfig config, bool inBackward = false, bool offload = false, int parts = 1) => new(
        config,
        Tiny.Options(1) with { AccumulationSteps = parts, Optimizer = new AdamWOptions { InBackward = inBackward, Offload = offload } },
        [.. WeightLayout.Of(config).Where(s => parts > 1 || s.Name != WeightLayout.Norm)],
        ScalarType.BFloat16,
        onCard: true);
}
