using T2R.Ops.Rows;
using Xunit;

namespace T2R.Tests.Ops.Rows;

public class RowMapsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(19)]
    [InlineData(192)]
    public void A_norm_divides_by_the_root_of_the_mean_square(int width)
    {
        float[] x = Numbers(width, 3), weight = Numbers(width, 1), y = new float[width];
        RowMaps.RmsNorm(x, weight, 1e-5, y);
        double inverse = 1 / Math.Sqrt((x.Sum(v => (double)v * v) / width) + 1e-5);
        Assert.All(Enumerable.Range(0, width), i => Assert.Equal(x[i] * inverse * weight[i], y[i], 1e-6 * Math.Max(1, Math.Abs(x[i] * inverse * weight[i]))));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(16)]
    [InlineData(29)]
    public void Silu_is_right_from_end_to_end(int width)
    {
        float[] x = [.. Enumerable.Range(0, width).Select(i => ((2f * i / (width - 1)) - 1) * 120)];
        float[] y = new float[width], gated = [.. x], up = Numbers(width, 2);
        RowMaps.Silu(x, y);
        RowMaps.SiluTimes(gated, up);
        for (int i = 0; i < width; i++)
        {
            double expected = x[i] / (1 + Math.Exp(-x[i]));
            Assert.Equal(expected, y[i], 1e-6 * Math.Max(1e-30, Math.Abs(expected)) + 1e-36);
            Assert.Equal(y[i] * up[i], gated[i]);
        }
    }

    [Fact]
    public void Silu_keeps_what_is_no_number()
    {
        float[] y = new float[3];
        RowMaps.Silu([float.NaN, float.PositiveInfinity, 0], y);
        Assert.Equal([float.NaN, float.PositiveInfinity, 0], y);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(16)]
    public void Gates_keep_their_digits_however_open_or_shut(double normalizer)
    {
        float[] f = [-200, -90, -30, -3, -0.1f, 0, 0.1f, 2, 8, 12, 20, 36, 80], decay = new float[f.Length], write = new float[f.Length];
        RowMaps.Gates(f, normalizer, decay, write);
        for (int i = 0; i < f.Length; i++)
        {
            double e = Math.Exp(-Math.Abs(f[i])), g = (Math.Min(f[i], 0) - LogOnePlus(e)) / normalizer;
            Assert.Equal(Math.Exp(g), decay[i], (1e-6 * Math.Exp(g)) + float.Epsilon);
            Assert.Equal(-ExpMinusOne(g), write[i], 1e-6 * -ExpMinusOne(g));
        }
    }

    [Fact]
    public void A_gate_that_is_no_number_stays_so()
    {
        float[] decay = new float[1], write = new float[1];
        RowMaps.Gates([float.NaN], 8, decay, write);
        Assert.True(float.IsNaN(decay[0]) && float.IsNaN(write[0]));
    }

    // By their series where the plain formulas lose digits.
    private static double LogOnePlus(double e) => e < 1e-5 ? e - (e * e / 2) : Math.Log(1 + e);

    private static double ExpMinusOne(double g) => g > -1e-5 ? g + (g * g / 2) : Math.Exp(g) - 1;

    private static float[] Numbers(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((4 * random.NextDouble()) - 2))];
    }
}
