using T2R.Generation.Decoding;
using T2R.Mixers;
using T2R.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Generation.Decoding;

public class DecodersTests
{
    private static readonly GatedSlotAttentionConfig Slots = new(Heads: 4, KeyValueHeads: 2, HeadDim: 32, Slots: 32);
    private static readonly SoftmaxAttentionConfig Softmax = new(Heads: 4, KeyValueHeads: 2, HeadDim: 32, RopeTheta: 10000, SlidingWindow: null);

    [Theory]
    [InlineData("cuda", ScalarType.BFloat16, ScalarType.Float16)]
    [InlineData("cuda", ScalarType.Float16, ScalarType.Float16)]
    [InlineData("cuda", ScalarType.Float32, ScalarType.Float32)]
    [InlineData("cpu", ScalarType.BFloat16, ScalarType.BFloat16)]
    public void What_the_cards_kernels_decode_in_bf16_they_decode_in_fp16(string device, ScalarType asked, ScalarType held) =>
        Assert.Equal(held, Decoders.LoadIn(Config(Slots, Slots), new Device(device), asked));

    [Fact]
    public void What_they_do_not_decode_stays_in_bf16()
    {
        Assert.Equal(ScalarType.BFloat16, Decoders.LoadIn(Config(Slots, Softmax), new Device("cuda"), ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, Decoders.LoadIn(Config(Slots with { Slots = 24 }), new Device("cuda"), ScalarType.BFloat16));
    }

    [Fact]
    public void Norms_are_scaled_by_powers_of_two_that_keep_their_products_in_range()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(1, NormScale.Of(ones(8) * 7.9));
        Assert.Equal(0.25f, NormScale.Of(ones(8) * -20));
        Assert.Equal(1024f * 1024, NormScale.OfFirst(ones(8) / 1024, ones(3000, 8) / 1024));
        Assert.Equal(1 / 64f, NormScale.OfFirst(ones(8), ones(4, 8) * 64));
    }

    private static ModelConfig Config(params MixerConfig[] mixers) => new()
    {
        VocabularySize = 100,
        HiddenSize = 128,
        IntermediateSize = 256,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = true,
        MaxPositionEmbeddings = 64,
        Mixers = [.. mixers],
    };
}
