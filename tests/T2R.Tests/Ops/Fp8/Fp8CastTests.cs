using T2R.Interop;
using T2R.Ops.Fp8;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.Fp8;

public class Fp8CastTests
{
    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 0.37)]
    [InlineData(false, 3e7)]
    [InlineData(true, 1)]
    [InlineData(true, 0.37)]
    [InlineData(true, 3e7)]
    public void Every_bf16_number_is_rounded_as_the_format_says(bool isGradient, double scale)
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        var cell = CellOf(scales, isGradient);
        var x = empty([256, 256], ScalarType.BFloat16);
        var bits = TensorMemory.AsSpan<ushort>(x);
        for (int i = 0; i < bits.Length; i++)
        {
            bits[i] = (ushort)i;
        }

        cell.IsMeasured = true;
        cell.Scale.fill_(scale);
        var rounded = Fp8Cast.Straight(x, cell);
        Assert.Equal(1, rounded.Values.element_size());
        float[] actual = [.. rounded.Values.to(ScalarType.Float32).data<float>()], given = [.. x.to(ScalarType.Float32).data<float>()];
        var format = isGradient ? PlainFp8.E5M2 : PlainFp8.E4M3;
        for (int i = 0; i < actual.Length; i++)
        {
            double expected = format.Round(given[i] * (float)scale);
            Assert.True(expected.Equals(actual[i]) && double.IsNegative(expected) == float.IsNegative(actual[i]) || double.IsNaN(expected) && float.IsNaN(actual[i]), $"{given[i]} → {actual[i]}, expected {expected}");
        }
    }

    [Fact]
    public void A_first_matrix_gives_its_cell_a_scale_with_room_for_twice_its_largest_number()
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(2, CPU);
        var cell = scales[1].MlpOutput.Input;
        var x = randn(16, 32).to(ScalarType.BFloat16);
        x[3, 4] = -7.5f;
        Assert.False(cell.IsMeasured);
        using var rounded = Fp8Cast.Straight(x, cell);
        Assert.True(cell.IsMeasured);
        Assert.Equal(448f / 15, cell.Scale.item<float>());
        Assert.Equal(15f / 448, cell.Inverse.item<float>());
        Assert.Equal(-224, rounded.Values.to(ScalarType.Float32)[3, 4].item<float>());
        Assert.Equal(7.5f, cell.Largest.item<float>());

        // In the same step a larger matrix has the same scale, and what is beyond it is cut off.
        using var larger = Fp8Cast.Straight(x * 4, cell);
        Assert.Equal(448f / 15, cell.Scale.item<float>());
        Assert.Equal(-448, larger.Values.to(ScalarType.Float32)[3, 4].item<float>());
        Assert.Equal(30, cell.Largest.item<float>());
    }

    [Fact]
    public void Joined_matrices_share_the_scale_of_the_largest_and_lie_side_by_side_or_below_each_other()
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        var (small, large) = (randn(32, 16), randn(32, 48) * 100);
        float largest = large.abs().max().item<float>();
        var beside = Fp8Cast.Beside([small, large], scales[0].MlpInput.Gradient);
        Assert.Equal(57344 / (2 * largest), scales[0].MlpInput.Gradient.Scale.item<float>());
        Assert.Equal([32, 64], beside.Straight.Values.shape);
        Assert.True(Numbers(beside.Straight).equal(Rounded(cat([small, large], 1), scales[0].MlpInput.Gradient)).all().item<bool>());
        Assert.True(Numbers(beside.Transposed).equal(Numbers(beside.Straight).t()).all().item<bool>());

        var weight = scales[0].MlpInput.Weight;
        Tensor[] parts = [small.t().contiguous(), large.t().contiguous()];
        var below = Fp8Cast.Stacked(parts, weight, transposes: false);
        Assert.True(Numbers(below).equal(Rounded(cat(parts), weight)).all().item<bool>());
        Assert.True(Numbers(Fp8Cast.Stacked(parts, weight, transposes: true)).equal(Numbers(below).t()).all().item<bool>());
        Assert.True(Numbers(Fp8Cast.Transposed(small, scales[0].MlpInput.Input)).equal(Rounded(small, scales[0].MlpInput.Input).t()).all().item<bool>());
    }

    private static Fp8Cell CellOf(Fp8Scales scales, bool isGradient) => isGradient ? scales[0].MixerInput.Gradient : scales[0].MixerInput.Weight;

    private static Tensor Numbers(Fp8Matrix matrix) => matrix.Values.to(ScalarType.Float32);

    private static Tensor Rounded(Tensor x, Fp8Cell cell) => (x * cell.Scale).clamp(-cell.Format.Largest, cell.Format.Largest).to(cell.Format.Dtype).to(ScalarType.Float32);
}
