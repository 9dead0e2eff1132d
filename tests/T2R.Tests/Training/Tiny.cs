using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

/// <summary>Models, texts and options that train in milliseconds.</summary>
internal static class Tiny
{
    public const int Vocabulary = 23;

    public static readonly MixerConfig Softmax = new SoftmaxAttentionConfig(Heads: 2, KeyValueHeads: 1, HeadDim: 6, RopeTheta: 10000, SlidingWindow: null);

    public static readonly MixerConfig Slots = new GatedSlotAttentionConfig(Heads: 2, KeyValueHeads: 1, HeadDim: 6, Slots: 5);

    public static ModelConfig Config(bool tied, params MixerConfig[] mixers) => new()
    {
        VocabularySize = Vocabulary,
        HiddenSize = 12,
        IntermediateSize = 20,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = tied,
        MaxPositionEmbeddings = 64,
        Mixers = [.. mixers],
    };

    /// <summary>A model whose every weight, norms too, is random and of a size that makes gradients of all of them matter.</summary>
    public static CausalLM Model(ModelConfig config, long seed, ScalarType dtype = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed, CPU);
        return new CausalLM(config, new WeightSet(config, spec =>
            (empty([.. spec.Shape], ScalarType.Float32).normal_(0, spec.IsNorm ? 0.1 : 0.3, generator) + (spec.IsNorm ? 1 : 0)).to(dtype)));
    }

    /// <summary>Ids that begin a document now and then.</summary>
    public static TokenStream Text(int seed, int length = 2000)
    {
        var random = new Random(seed);
        return new TokenStream([.. Enumerable.Range(0, length).Select(i => i % 37 == 0 ? 1 : random.Next(2, Vocabulary))], beginId: 1);
    }

    /// <summary>Documents that repeat one another: easy to learn.</summary>
    public static TokenStream EasyText(int length = 2000) => new([.. Enumerable.Range(0, length).Select(i => i % 20 == 0 ? 1 : 2 + (i * 7 % 20))], beginId: 1);

    public static Batch Batch(int batch, int length, int seed = 5)
    {
        var cursor = default(DataCursor);
        return new PackedWindows(Text(seed), length, 3).Next(batch, ref cursor);
    }

    public static TrainingOptions Options(int steps) => new()
    {
        Steps = steps,
        WindowLength = 16,
        MicroBatchSize = 3,
        CheckpointEvery = 0,
        LogEvery = 1,
        EvaluationWindows = 2,
        Optimizer = new AdamWOptions { LearningRate = 5e-3 },
    };

    /// <summary>Every weight's bytes.</summary>
    public static Dictionary<string, byte[]> Bytes(WeightSet weights) =>
        weights.All.ToDictionary(w => w.Spec.Name, w => System.Runtime.InteropServices.MemoryMarshal.AsBytes(T2R.Interop.TensorMemory.AsSpan<float>(w.Tensor)).ToArray());

    /// <summary>The names of weights that differ.</summary>
    public static string[] Changed(Dictionary<string, byte[]> before, Dictionary<string, byte[]> after) =>
        [.. before.Keys.Where(name => !before[name].AsSpan().SequenceEqual(after[name]))];

    public static double RelativeError(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (a.to(ScalarType.Float64), b.to(ScalarType.Float64));
        return ((x - y).norm() / y.norm().clamp_min(1e-30)).item<double>();
    }
}
