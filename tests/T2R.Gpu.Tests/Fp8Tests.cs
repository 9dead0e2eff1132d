using T2R.Bench;
using T2R.Data;
using T2R.Interop;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>FP8 on the card, whose every result the CPU's form defines: roundings to the bit, products within the rounding of their sums.</summary>
public class Fp8Tests
{
    public static bool HasFp8 => Gpu.Present && CudaFp8Cast.Lack(0) is null;

    [Theory(Skip = "no CUDA device with FP8", SkipUnless = nameof(HasFp8))]
    [InlineData(16, 16)]
    [InlineData(160, 272)]
    [InlineData(8192, 1024)]
    public void Matrices_are_rounded_to_the_bits_of_the_CPU(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        using var here = new Fp8Scales(1, CPU);
        using var there = new Fp8Scales(1, CUDA);
        manual_seed(rows);
        Tensor[] parts = [Half(randn(rows, columns) * 3), Half(randn(rows, 48) * 1e-3)];
        Tensor[] card = [.. parts.Select(p => p.cuda())];
        Assert.True(CudaFp8Cast.Takes(card[0]));

        // The second time with what is beyond the scale and not finite among it.
        for (int time = 0; time < 2; time++)
        {
            var (expected, actual) = (Fp8Cast.Beside(parts, here[0].MlpInput.Gradient), Fp8Cast.Beside(card, there[0].MlpInput.Gradient));
            Same(expected.Straight, actual.Straight);
            Same(expected.Transposed, actual.Transposed);
            Assert.Equal(here[0].MlpInput.Gradient.Largest.item<float>(), there[0].MlpInput.Gradient.Largest.cpu().item<float>());
            foreach (bool transposes in new[] { false, true })
            {
                Same(Fp8Cast.Stacked([parts[0]], here[0].MlpInput.Weight, transposes), Fp8Cast.Stacked([card[0]], there[0].MlpInput.Weight, transposes));
            }

            foreach (var x in parts.Concat(card))
            {
                x[0, 3] = -1000;
                x[5, 7] = float.PositiveInfinity;
            }
        }
    }

    [Fact(Skip = "no CUDA device with FP8", SkipUnless = nameof(HasFp8))]
    public void Every_bf16_number_is_rounded_to_the_bits_of_the_CPU()
    {
        using var scope = NewDisposeScope();
        using var here = new Fp8Scales(1, CPU);
        using var there = new Fp8Scales(1, CUDA);
        var x = empty([256, 256], ScalarType.BFloat16);
        var bits = TensorMemory.AsSpan<ushort>(x);
        for (int i = 0; i < bits.Length; i++)
        {
            // NaN has several, and becomes the one that FP8 has.
            bits[i] = (i & 0x7FFF) > 0x7F80 ? (ushort)0 : (ushort)i;
        }

        foreach (var (a, b) in new[] { (here[0].MlpInput.Weight, there[0].MlpInput.Weight), (here[0].MlpInput.Gradient, there[0].MlpInput.Gradient) })
        {
            foreach (var cell in new[] { a, b })
            {
                cell.IsMeasured = true;
                cell.Scale.fill_(0.37f);
            }

            Same(Fp8Cast.Straight(x, a), Fp8Cast.Straight(x.cuda(), b));
        }
    }

    [Theory(Skip = "no CUDA device with FP8", SkipUnless = nameof(HasFp8))]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Products_are_those_of_the_rounded_matrices(bool isGradient, bool fastSums)
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CUDA);
        var product = scales[0].MixerInput;
        manual_seed(4);
        var a = Fp8Cast.Straight(Half(randn(2048, 1024)).cuda(), isGradient ? product.Gradient : product.Input);
        var b = Fp8Cast.Straight(Half(randn(6656, 1024) * 0.02).cuda(), product.Weight);
        var expected = Value(a).matmul(Value(b).t());
        var actual = a.TimesTransposed(b, ScalarType.BFloat16, fastSums);

        // One rounding, and the sums' in the tensor cores.
        Assert.InRange(((actual.to(ScalarType.Float64) - expected).norm() / expected.norm()).to(ScalarType.Float64).cpu().item<double>(), 0, fastSums ? 5e-3 : 2.5e-3);
        using var rows = b.Rows(4096, 1024);
        var part = a.TimesTransposed(rows, ScalarType.BFloat16, fastSums);
        Assert.InRange(((part - actual.narrow(1, 4096, 1024)).norm() / part.norm()).to(ScalarType.Float64).cpu().item<double>(), 0, 5e-3);
    }

    [Theory(Skip = "no CUDA device with FP8", SkipUnless = nameof(HasFp8))]
    [InlineData(RecomputePolicy.None)]
    [InlineData(RecomputePolicy.Selective)]
    [InlineData(RecomputePolicy.Full)]
    public void Gradients_of_a_step_are_near_those_in_fp32(RecomputePolicy recompute)
    {
        var options = new TrainingOptions { Steps = 1, Fp8 = true, Recompute = recompute };
        GradientCheck.BarOf(options).Require(GradientCheck.Run(GradientCheck.Small(TrainedModel.Config), options, CUDA, ScalarType.BFloat16));
    }

    [Fact(Skip = "no CUDA device with FP8", SkipUnless = nameof(HasFp8))]
    public void Two_hundred_steps_end_within_half_a_percent_of_bf16_s_loss()
    {
        double expected = Last(fp8: false), actual = Last(fp8: true);
        TestContext.Current.SendDiagnosticMessage($"bf16 {expected:F4}, FP8 {actual:F4}");
        Assert.InRange(actual / expected, 0.995, 1.005);
    }

    private static double Last(bool fp8)
    {
        string folder = Directory.CreateTempSubdirectory("t2r-").FullName;
        try
        {
            // Ids that follow from the two before them, but for one in five.
            var random = new Random(1);
            int[] ids = new int[200_000];
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = i % 100 == 0 ? 1 : i < 2 || random.Next(5) == 0 ? random.Next(2, 1000) : 2 + (((ids[i - 1] * 31) + (ids[i - 2] * 17)) % 61);
            }

            var options = new TrainingOptions
            {
                Steps = 200,
                WindowLength = 128,
                MicroBatchSize = 16,
                Fp8 = fp8,
                Recompute = RecomputePolicy.Selective,
                CheckpointEvery = 0,
                KeepLast = 0,
                Optimizer = new AdamWOptions { Name = OptimizerName.AdamWBf16, LearningRate = 1e-3 },
                EvaluationWindows = 64,
            };
            using var model = new CausalLM(TrainedModel.Config, WeightSet.Random(TrainedModel.Config, 1, CUDA, ScalarType.BFloat16));
            using var run = RunFolder.Open(folder);
            using var trainer = new Trainer(options, new TrainingInputs(model, new TokenStream(ids[..150_000], beginId: 1), new TokenStream(ids[150_000..], beginId: 1)), run);
            return trainer.Run(TestContext.Current.CancellationToken).Evaluation!.EvaluationLoss;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Same(Fp8Matrix expected, Fp8Matrix actual) =>
        Assert.True(expected.Values.to(ScalarType.Float32).equal(actual.Values.cpu().to(ScalarType.Float32)).all().item<bool>());

    private static Tensor Value(Fp8Matrix matrix) => matrix.Values.to(ScalarType.Float64) * matrix.Cell.Inverse.to(ScalarType.Float64);

    private static Tensor Half(Tensor x) => x.to(ScalarType.BFloat16);
}
