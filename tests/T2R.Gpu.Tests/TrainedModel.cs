using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>A small hybrid whose weights are as large as those of trained models: each product keeps the size of what it reads, norms differ from 1, gates are open and shut.</summary>
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
    public static CausalLM On(Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);
        return new CausalLM(Config, new WeightSet(Config, spec =>
        {
            var drawn = empty([.. spec.Shape], ScalarType.Float32).normal_(0, spec.IsNorm ? 0.2 : Deviation(spec), generator);
            return spec.IsNorm ? (drawn + 1).to(device) : drawn.to(ScalarType.BFloat16).to(dtype).to(device);
        }));
    }

    // Gate logits of deviation 4, others of 1; what goes into the residual stream is smaller than the stream.
    private static double Deviation(WeightSpec spec)
    {
        double unit = 1 / Math.Sqrt(spec.Shape[1]);
        return spec.Name == WeightLayout.Embedding ? 1
            : spec.Name.EndsWith("f_proj.weight", StringComparison.Ordinal) ? 4 * unit
            : spec.Name.EndsWith("o_proj.weight", StringComparison.Ordinal) || spec.Name.EndsWith("down_proj.weight", StringComparison.Ordinal) ? 0.5 * unit
            : unit;
    }
}
