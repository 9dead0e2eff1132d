using T2R.Data;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Training;
using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>Loss and gradients of one training step of a small model against fp32 on the CPU, through the same path as training's.</summary>
internal static class GradientCheck
{
    private const int WindowLength = 256, Windows = 2, HiddenSize = 256, IntermediateSize = 704, Vocabulary = 1000;

    /// <summary>How near the gradients are to be: a bf16 has 8 bits, and most gradients are sums of what was rounded several times.</summary>
    public static AgreementBar Bar { get; } = new(MostError: 0.05, LeastCosine: 0.999);

    /// <summary>
    /// The same for options. A number in FP8 has 4 bits and a gradient 3: with the mixers of Mistral-7B the farthest, a second layer's forget gates, are 0.195 off with a
    /// cosine of 0.981 (measured), where bf16's are 0.017 off. A wrong scale or a product of the wrong sides is 1 off or more.
    /// </summary>
    /// <param name="options">The training.</param>
    public static AgreementBar BarOf(TrainingOptions options) => options.Fp8 ? new AgreementBar(MostError: 0.3, LeastCosine: 0.95) : Bar;

    /// <summary>A model small enough to be computed in fp32 on the CPU, with two of a larger one's mixers, one of each kind that it has, and its adapters.</summary>
    public static ModelConfig Small(ModelConfig config) => config with
    {
        VocabularySize = Vocabulary,
        HiddenSize = HiddenSize,
        IntermediateSize = IntermediateSize,
        TieWordEmbeddings = false,
        Mixers = [.. config.Mixers.DistinctBy(m => m.GetType()).Concat(config.Mixers).Take(2)],
    };

    /// <summary>Computes both, of <see cref="TypicalWeights"/> and random ids.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="options">What is computed again, where inputs wait, adapters and distillation; windows, stages and optimizer are the check's own.</param>
    /// <param name="device">Where it is computed in <paramref name="dtype"/>.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <returns>By name: <c>loss</c>, and each weight's gradient.</returns>
    public static IReadOnlyDictionary<string, Agreement> Run(ModelConfig config, TrainingOptions options, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        options = options with { WindowLength = WindowLength, MicroBatchSize = Windows, AccumulationSteps = 1, Stages = [], Optimizer = new AdamWOptions() };
        config = config with { Lora = options.Lora };
        using var expected = new Gradients();
        using var actual = new Gradients();
        double expectedLoss = Backward(config, CPU, ScalarType.Float32, options with { Recompute = RecomputePolicy.None, OffloadInputs = false, Fp8 = false }, expected);
        double loss = Backward(config, device, dtype, options, actual);
        var agreements = new Dictionary<string, Agreement> { ["loss"] = Agreement.Of(tensor([loss]), tensor([expectedLoss])) };
        foreach (var spec in WeightLayout.Of(config).Where(s => expected[s.Name] is not null))
        {
            agreements.Add(spec.Name, Agreement.Of(actual[spec.Name]!, expected[spec.Name]!));
        }

        return agreements;
    }

    private static double Backward(ModelConfig config, Device device, ScalarType dtype, TrainingOptions options, Gradients gradients)
    {
        using var model = new CausalLM(config, TypicalWeights.Draw(config, device, dtype));
        using var teacher = options.Distillation is null ? null : new CausalLM(config, TypicalWeights.Draw(config, device, dtype));
        Disturb(teacher);
        var random = new Random(3);
        int[] ids = [.. Enumerable.Range(0, 5000).Select(i => i % 97 == 0 ? 1 : random.Next(2, config.VocabularySize))];
        var text = new TokenStream(ids, beginId: 1);
        var cursor = default(DataCursor);
        using var batch = new PackedWindows(text, options.WindowLength, seed: 1).Next(options.MicroBatchSize, ref cursor, device);
        using var scales = options.Fp8 ? new Fp8Scales(config.Layers, device) : null;
        using var run = new StageRun(StagePlan.Of(options)[0], options, new TrainingInputs(model, text, Teacher: teacher), gradients, recorded: config.Layers, scales);
        using var loss = run.Loss.Backward(batch, 1);
        return StepLoss.Mean([loss]).Loss;
    }

    // A teacher that is the model itself would have nothing to teach.
    private static void Disturb(CausalLM? teacher)
    {
        using var _ = no_grad();
        teacher?.HeadWeight.mul_(1.5);
    }
}
