using System.Globalization;
using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Optimizers;

/// <summary>Where 200 steps of each optimizer land on a real small model, against AdamW in float64.</summary>
public sealed class LandingTests : IDisposable
{
    private static readonly AdamWOptions Options = new() { LearningRate = 1e-4 };
    private readonly Finetuning _finetuning = new();

    public void Dispose() => _finetuning.Dispose();

    [Fact]
    public void In_bf16_weights_every_optimizer_lands_where_float64_does_and_rounding_to_nearest_does_not()
    {
        var (first, exact) = Exact(ScalarType.BFloat16, naive: false);
        var (_, naive) = Exact(ScalarType.BFloat16, naive: true);
        Assert.True(exact < 0.6 * first, $"{first} → {exact}: nothing was learnt");
        Assert.True(naive > 1.1 * exact, $"float64 lands at {exact}, rounding to nearest at {naive}: the test could not fail");
        foreach (var name in Enum.GetValues<OptimizerName>())
        {
            Near(exact, Landing(name, ScalarType.BFloat16), name);
        }
    }

    [Fact]
    public void In_fp32_weights_small_moments_land_where_float64_does()
    {
        double exact = Exact(ScalarType.Float32, naive: false).Last;
        Near(exact, Landing(OptimizerName.AdamWBf16, ScalarType.Float32), OptimizerName.AdamWBf16);
        Near(exact, Landing(OptimizerName.AdamW8Bit, ScalarType.Float32), OptimizerName.AdamW8Bit);
    }

    private static void Near(double exact, double landing, OptimizerName name)
    {
        string figures = string.Create(CultureInfo.InvariantCulture, $"{name}: {landing:F4}, float64: {exact:F4}");
        TestContext.Current.SendDiagnosticMessage(figures);
        Assert.True(Math.Abs(landing - exact) < 0.015 * exact, figures);
    }

    private (double First, double Last) Exact(ScalarType dtype, bool naive) => _finetuning.Losses(Options, dtype, weights =>
    {
        var optimizer = new Float64AdamW(Options, weights, naive);
        return (optimizer, optimizer.Step);
    });

    private double Landing(OptimizerName name, ScalarType dtype) => _finetuning.Losses(Options, dtype, weights =>
    {
        var optimizer = new AdamW(Options with { Name = name }, weights);
        return (optimizer, (gradients, rate, scale) =>
        {
            optimizer.BeginStep(rate, scale);
            optimizer.Update(gradients);
            optimizer.EndStep();
        });
    }).Last;
}
