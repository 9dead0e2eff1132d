using T2R.Mixers;
using T2R.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

public class MissingKernelsTests
{
    [Fact]
    public void A_shape_that_the_kernels_take_lacks_nothing() => Assert.Empty(MissingKernels.OfShape(Model(headDim: 128, slots: 64), ScalarType.BFloat16));

    [Fact]
    public void On_a_cpu_nothing_is_missing() => Assert.Empty(MissingKernels.On(Model(headDim: 80, slots: 5), ScalarType.Float32, CPU));

    [Fact]
    public void Another_dtype_is_named() => Assert.Equal(
        "the model runs as tensor operators, which take longer: T2R's kernels compute in bf16 or fp16, and dtype is float32.", Assert.Single(MissingKernels.OfShape(Model(128, 64), ScalarType.Float32)));

    [Theory]
    [InlineData(80, 64, "gated slot attention runs as tensor operators, which take longer: heads of 80 and 80 are not multiples of 32 up to 256.")]
    [InlineData(128, 48, "gated slot attention runs as tensor operators, which take longer: 48 slots are not 16, 32, 64 or 128.")]
    public void What_layers_of_one_shape_lack_is_said_once(int headDim, int slots, string sentence) =>
        Assert.Equal(sentence, Assert.Single(MissingKernels.OfShape(Model(headDim, slots), ScalarType.BFloat16)));

    [Fact]
    public void Widths_that_norms_and_the_mlp_have_no_kernels_for_are_named() => Assert.Equal(
        [
            "norms of 9000 numbers run as tensor operators, which take longer: the kernels take multiples of 8 up to 8192.",
            "the MLP, 1001 wide, runs as tensor operators, which take longer: the kernels take multiples of 8.",
        ],
        MissingKernels.OfShape(Model(128, 64) with { HiddenSize = 9000, IntermediateSize = 1001 }, ScalarType.BFloat16));

    private static ModelConfig Model(int headDim, int slots) => new()
    {
        VocabularySize = 1000,
        HiddenSize = 256,
        IntermediateSize = 704,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = false,
        MaxPositionEmbeddings = 512,
        Mixers = [.. Enumerable.Repeat<MixerConfig>(new GatedSlotAttentionConfig(Heads: 8, KeyValueHeads: 2, headDim, slots), 3)],
    };
}
