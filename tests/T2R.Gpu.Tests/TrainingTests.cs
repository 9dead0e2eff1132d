using System.Globalization;
using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

public class TrainingTests
{
    private static readonly ModelConfig Config = new()
    {
        VocabularySize = 300,
        HiddenSize = 128,
        IntermediateSize = 256,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = true,
        MaxPositionEmbeddings = 512,
        Mixers = [new SoftmaxAttentionConfig(4, 2, 32, 10000, null), new GatedSlotAttentionConfig(4, 2, 32, 16), new GatedSlotAttentionConfig(4, 2, 32, 16)],
    };

    private static readonly ModelConfig Teacher = Config with { Mixers = [Config.Mixers[0], Config.Mixers[0], Config.Mixers[0]] };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(ScalarType.Float32, RecomputePolicy.None, 1e-3)]
    [InlineData(ScalarType.BFloat16, RecomputePolicy.Full, 2e-2)]
    public void A_run_on_the_card_loses_as_one_on_the_CPU(ScalarType dtype, RecomputePolicy recompute, double tolerance)
    {
        var expected = Losses(CPU, ScalarType.Float32, RecomputePolicy.None);
        var actual = Losses(CUDA, dtype, recompute);
        TestContext.Current.SendDiagnosticMessage(string.Join("; ", expected.Zip(actual, (e, a) => string.Create(CultureInfo.InvariantCulture, $"{e:F4} {a:F4}"))));
        Assert.Equal(expected, actual, (e, a) => Math.Abs(e - a) < tolerance * e);
        Assert.True(actual[^1] < 0.9 * actual[6], $"{actual[6]} → {actual[^1]}");
    }

    [Fact(Skip = "no two CUDA devices", SkipUnless = nameof(Gpu.TwoPresent), SkipType = typeof(Gpu))]
    public void A_run_on_the_second_card_loses_as_one_on_the_first()
    {
        var expected = Losses(CUDA, ScalarType.BFloat16, RecomputePolicy.Full);
        var actual = Losses(Gpu.Second, ScalarType.BFloat16, RecomputePolicy.Full);
        Assert.Equal(expected, actual, (e, a) => Math.Abs(e - a) < 1e-2 * e);
    }

    // Six steps of imitating mixers, then next tokens with a teacher; stopped and resumed between.
    private static double[] Losses(Device device, ScalarType dtype, RecomputePolicy recompute)
    {
        string folder = Directory.CreateTempSubdirectory("t2r-").FullName;
        try
        {
            using var teacher = new CausalLM(Teacher, WeightSet.Random(Teacher, 2, device, dtype));
            var text = new TokenStream([.. Enumerable.Range(0, 40000).Select(i => i % 100 == 0 ? 1 : 2 + (i * 7 % 200))], beginId: 1);
            var options = new TrainingOptions
            {
                Steps = 30,
                WindowLength = 128,
                MicroBatchSize = 4,
                AccumulationSteps = 2,
                Recompute = recompute,
                LogEvery = 1,
                Optimizer = new AdamWOptions { LearningRate = 1e-3 },
                Distillation = new DistillationOptions { Weight = 0.1, Temperature = 2 },
                Stages = [new TrainingStage("mixers") { Steps = 6, Objective = StageObjective.Mixers }, new TrainingStage("all")],
            };
            using var stop = new CancellationTokenSource();
            var losses = new LossRecorder(stop);
            for (int session = 0; session < 2; session++)
            {
                using var model = new CausalLM(Config, WeightSet.Random(Config, 1, device, dtype));
                using var run = RunFolder.Open(folder);
                using var trainer = new Trainer(options, new TrainingInputs(model, text, text, teacher), run, [losses]);
                if (session == 0)
                {
                    Assert.Throws<OperationCanceledException>(() => trainer.Run(stop.Token));
                }
                else
                {
                    trainer.Run(TestContext.Current.CancellationToken);
                }
            }

            return [.. losses.All];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private sealed class LossRecorder(CancellationTokenSource stop) : ITrainingObserver
    {
        public List<double> All { get; } = [];

        public void Stepped(StepMetrics metrics)
        {
            All.Add(metrics.Loss);
            if (metrics.Step == 15)
            {
                stop.Cancel();
            }
        }

        public void Evaluated(EvaluationMetrics metrics)
        {
        }

        public void Warned(string sentence) => Assert.Contains("as tensor operators", sentence, StringComparison.Ordinal);
    }
}
