using System.Globalization;
using T2R.Data;
using T2R.Models;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>Gradients in bf16 on the card against fp32 on the CPU, through the same path as training's.</summary>
public class GradientTests
{
    private const double LeastCosine = 0.999;

    public static TheoryData<RecomputePolicy, bool, bool> Cases => new()
    {
        { RecomputePolicy.None, false, false },
        { RecomputePolicy.Selective, false, false },
        { RecomputePolicy.Full, false, true },
        { RecomputePolicy.Full, true, false },
    };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [MemberData(nameof(Cases))]
    public void Every_gradient_points_where_that_of_fp32_on_the_CPU_points(RecomputePolicy policy, bool offload, bool distill)
    {
        using var scope = NewDisposeScope();
        var options = new TrainingOptions
        {
            Steps = 1,
            WindowLength = 256,
            MicroBatchSize = 2,
            Recompute = policy,
            OffloadInputs = offload,
            Distillation = distill ? new DistillationOptions { Weight = 0.5, Temperature = 2 } : null,
        };
        using var expected = new Gradients();
        using var actual = new Gradients();
        double expectedLoss = Backward(CPU, ScalarType.Float32, options with { Recompute = RecomputePolicy.None, OffloadInputs = false }, expected);
        double loss = Backward(CUDA, ScalarType.BFloat16, options, actual);
        Assert.Equal(expectedLoss, loss, 0.01 * expectedLoss);

        var cosines = WeightLayout.Of(TrainedModel.Config).Select(s => (s.Name, Cosine: Cosine(expected[s.Name]!, actual[s.Name]!))).OrderBy(c => c.Cosine).ToList();
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"{policy}: least cosine {cosines[0].Cosine:F6} ({cosines[0].Name})"));
        Assert.All(cosines, c => Assert.True(c.Cosine >= LeastCosine, string.Create(CultureInfo.InvariantCulture, $"{c.Name}: {c.Cosine:F6}")));
    }

    private static double Backward(Device device, ScalarType dtype, TrainingOptions options, Gradients gradients)
    {
        using var model = TrainedModel.On(device, dtype);
        using var teacher = options.Distillation is null ? null : TrainedModel.On(device, dtype);
        Disturb(teacher);
        var random = new Random(3);
        int[] ids = [.. Enumerable.Range(0, 5000).Select(i => i % 97 == 0 ? 1 : random.Next(2, TrainedModel.Config.VocabularySize))];
        var text = new TokenStream(ids, beginId: 1);
        var cursor = default(DataCursor);
        using var batch = new PackedWindows(text, options.WindowLength, seed: 1).Next(options.MicroBatchSize, ref cursor, device);
        using var run = new StageRun(new StagePlan(new TrainingStage("all"), 0, 0, 1), options, new TrainingInputs(model, text, Teacher: teacher), gradients, recorded: 2);
        using var loss = run.Loss.Backward(batch, 1);
        return StepLoss.Mean([loss]).Loss;
    }

    // A teacher that is the model itself would have nothing to teach.
    private static void Disturb(CausalLM? teacher)
    {
        using var _ = no_grad();
        teacher?.HeadWeight.mul_(1.5);
    }

    private static double Cosine(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (a.cpu().to(ScalarType.Float64).flatten(), b.cpu().to(ScalarType.Float64).flatten());
        return (x.dot(y) / (x.norm() * y.norm())).item<double>();
    }
}
