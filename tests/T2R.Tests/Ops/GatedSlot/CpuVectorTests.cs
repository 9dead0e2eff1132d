using System.Runtime.Intrinsics;
using T2R.Ops.GatedSlot;
using Xunit;

namespace T2R.Tests.Ops.GatedSlot;

public class CpuVectorTests
{
    [Fact]
    public void Exp_is_within_two_units_in_the_last_place()
    {
        for (float x = -87; x < 88; x += 0.00137f)
        {
            float actual = CpuVector.Exp(Vector256.Create(x))[3];
            double expected = Math.Exp(x);
            double unit = MathF.BitIncrement((float)expected) - (float)expected;
            Assert.True(Math.Abs(actual - expected) <= 2 * unit, $"exp({x:r}) = {actual:r}");
        }
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-1e-20f, 1f)]
    [InlineData(-87.5f, 0f)]
    [InlineData(-1e30f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp_of_the_ends_is_exact(float x, float expected) => Assert.Equal(expected, CpuVector.Exp(Vector256.Create(x))[0]);
}
