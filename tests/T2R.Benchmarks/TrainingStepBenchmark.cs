using BenchmarkDotNet.Attributes;
using T2R.Interop;
using T2R.Mixers;
using T2R.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>
/// Forward and backward of two models of one size that differ only in their mixer, over 4 096 tokens a step: hidden size 192, 4 blocks, 6 query
/// heads, 2 key-value heads, 32 slots, a vocabulary of 4 096.
/// </summary>
[Config(typeof(InThisProcess))]
public class TrainingStepBenchmark
{
    private const int Tokens = 4096, Vocabulary = 4096, Blocks = 4;
    private CausalLM _softmax = null!, _gatedSlot = null!;
    private Tensor _ids = null!;

    /// <summary>Tokens of one sequence.</summary>
    [Params(512, 1024, 2048, 4096)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _softmax = Model(new SoftmaxAttentionConfig(6, 2, 32, 10_000, null));
        _gatedSlot = Model(new GatedSlotAttentionConfig(6, 2, 32, 32));
        _ids = torch.randint(Vocabulary, [Tokens / Length, Length], ScalarType.Int64);
    }

    [Benchmark(Baseline = true)]
    public void Softmax() => Step(_softmax);

    [Benchmark]
    public void GatedSlot() => Step(_gatedSlot);

    private static CausalLM Model(MixerConfig mixer)
    {
        var config = new ModelConfig
        {
            VocabularySize = Vocabulary,
            HiddenSize = 192,
            IntermediateSize = 512,
            NormEpsilon = 1e-5,
            TieWordEmbeddings = true,
            MaxPositionEmbeddings = Tokens,
            Mixers = [.. Enumerable.Repeat(mixer, Blocks)],
        };
        var weights = WeightSet.Random(config, 1, torch.CPU);
        foreach (var spec in WeightLayout.Of(config))
        {
            weights[spec.Name].requires_grad_(true);
        }

        return new CausalLM(config, weights);
    }

    private void Step(CausalLM model)
    {
        using var scope = torch.NewDisposeScope();
        using var context = new SequenceContext(_ids.shape[0], _ids.shape[1], torch.CPU);
        var logits = model.Forward(_ids, context);
        Autograd.Backward([nn.functional.cross_entropy(logits.flatten(0, 1), _ids.flatten())]);
        foreach (var spec in WeightLayout.Of(model.Config))
        {
            model.Weights[spec.Name].grad = null;
        }
    }
}
