using System.Globalization;
using T2R.Bench;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>Gradients in bf16 on the card against fp32 on the CPU, through the same path as training's.</summary>
public class GradientTests
{
    public static TheoryData<RecomputePolicy, bool, bool> Cases => new()
    {
        { RecomputePolicy.None, false, false },
        { RecomputePolicy.Selective, false, false },
        { RecomputePolicy.Full, false, true },
        { RecomputePolicy.Full, true, false },
    };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [MemberData(nameof(Cases))]
    public void Every_gradient_points_where_that_of_fp32_on_the_CPU_points(RecomputePolicy policy, bool offload, bool distill) => Check(CUDA, policy, offload, distill);

    [Theory(Skip = "no two CUDA devices", SkipUnless = nameof(Gpu.TwoPresent), SkipType = typeof(Gpu))]
    [MemberData(nameof(Cases))]
    public void On_the_second_card_too(RecomputePolicy policy, bool offload, bool distill) => Check(Gpu.Second, policy, offload, distill);

    private static void Check(Device device, RecomputePolicy policy, bool offload, bool distill)
    {
        var options = new TrainingOptions
        {
            Steps = 1,
            Recompute = policy,
            OffloadInputs = offload,
            Distillation = distill ? new DistillationOptions { Weight = 0.5, Temperature = 2 } : null,
        };
        var agreements = GradientCheck.Run(TrainedModel.Config, options, device, ScalarType.BFloat16);
        var (name, least) = agreements.MinBy(a => a.Value.Cosine);
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"{policy}: least cosine {least.Cosine:F6} ({name})"));
        Assert.True(agreements["loss"].Error <= 0.01);
        GradientCheck.Bar.Require(agreements);
    }
}
