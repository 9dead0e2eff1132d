using T2R.Bench;
using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>A small hybrid whose weights are as large as those of trained models.</summary>
internal static class TrainedModel
{
    private static readonly MixerConfig Softmax = new SoftmaxAttentionConfig(Heads: 8, KeyValueHeads: 2, HeadDim: 32, RopeTheta: 10000, SlidingWindow: null);

    private static readonly MixerConfig Slots = new GatedSlotAttentionConfig(Heads: 8, KeyValueHeads: 2, HeadDim: 32, Slots: 32);

    public static ModelConfig Config { get; } = new()
    {
        VocabularySize = 1000,
        HiddenSize = 256,
        IntermediateSize = 704,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = false,
        MaxPositionEmbeddings = 512,
        Mixers = [Slots, Softmax, Slots, Slots],
    };

    /// <summary>The model on a device; its numbers are bf16's in every dtype, norms left out.</summary>
    public static CausalLM On(Device device, ScalarType dtype) => new(Config, TypicalWeights.Draw(Config, device, dtype));
}
