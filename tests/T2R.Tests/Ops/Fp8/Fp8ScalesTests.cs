using T2R.Ops.Fp8;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.Fp8;

public class Fp8ScalesTests
{
    [Fact]
    public void A_step_s_largest_number_raises_what_the_next_one_scales_by_and_smaller_ones_lower_it_slowly()
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        var cell = scales[0].MixerInput.Input;
        var other = scales[0].MixerOutput.Input;
        Step(8);
        Assert.Equal(448f / 16, cell.Scale.item<float>());
        Step(20);
        Assert.Equal(448f / 40, cell.Scale.item<float>());
        Step(1);
        Assert.Equal(448f / 36, cell.Scale.item<float>(), 1e-4f);
        Assert.Equal(0, cell.Largest.item<float>());

        // Nothing was rounded: nothing is known.
        float before = cell.Scale.item<float>();
        scales.EndStep();
        Assert.Equal(before, cell.Scale.item<float>());
        Assert.False(other.IsMeasured);

        void Step(float largest)
        {
            using var rounded = Fp8Cast.Straight(full(16, 16, largest), cell);
            scales.EndStep();
        }
    }

    [Fact]
    public void Zeros_have_a_scale_and_stay_zeros()
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        var cell = scales[0].MixerInput.Gradient;
        for (int i = 0; i < 3; i++)
        {
            using var rounded = Fp8Cast.Straight(zeros(16, 16), cell);
            Assert.Equal(0, rounded.Values.to(ScalarType.Float32).abs().max().item<float>());
            Assert.True(float.IsFinite(cell.Scale.item<float>()) && cell.Inverse.item<float>() > 0);
            scales.EndStep();
        }
    }

    [Fact]
    public void Restored_scales_go_on_as_the_others_and_know_what_was_never_used()
    {
        using var scope = NewDisposeScope();
        using var first = new Fp8Scales(2, CPU);
        using var second = new Fp8Scales(2, CPU);
        var x = randn(16, 16);
        Fp8Cast.Straight(x, first[0].MlpInput.Weight).Dispose();
        Fp8Cast.Straight(zeros(16, 16), first[1].MlpInput.Weight).Dispose();
        first.EndStep();
        second.Restore(first.Running_C);
        Assert.True(first.Scale_C.equal(second.Scale_C).all().item<bool>());
        Assert.True(first.Inverse_C.equal(second.Inverse_C).all().item<bool>());
        Assert.Equal([true, true, false], new[] { second[0].MlpInput.Weight, second[1].MlpInput.Weight, second[1].MlpOutput.Weight }.Select(c => c.IsMeasured));
    }

    [Fact]
    public void Disposed_scales_leave_nothing_behind()
    {
        long before = TensorCount.Settled();
        using (var scales = new Fp8Scales(3, CPU))
        {
            Fp8Cast.Straight(ones(16, 16), scales[2].MlpInput.Weight).Dispose();
            scales.EndStep();
            scales.Restore(scales.Running_C);
        }

        Assert.InRange(TensorCount.Settled() - before, 0, 1);
    }
}
