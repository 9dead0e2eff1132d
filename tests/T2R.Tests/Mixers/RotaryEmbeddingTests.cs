using T2R.Mixers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Mixers;

public class RotaryEmbeddingTests
{
    private static float[] Frequencies(double theta, RopeScaling? scaling, int headDim)
    {
        using var scope = NewDisposeScope();
        return RotaryEmbedding.Frequencies(theta, scaling, headDim, CPU).data<float>().ToArray();
    }

    // By the formula, in double: 500000^(−c/64), wavelengths 2π over it; short below 2048, long above 8192.
    [Theory]
    [InlineData(0, 1.0)]
    [InlineData(1, 0.8146172338565447)]
    [InlineData(28, 0.003211445994752591)] // wavelength 1956: as it was
    [InlineData(29, 0.002166570763503359)] // 2402: blended, s = 0.8037
    [InlineData(31, 0.0008567514129196321)]
    [InlineData(34, 0.0001785078127679964)] // 6695: blended, s = 0.0745
    [InlineData(35, 9.556212353964683e-05)] // 8219: an eighth
    [InlineData(63, 3.068925988914511e-07)]
    public void Frequencies_of_Llama_3_1_8B_are_those_of_the_formula(int channel, double expected)
    {
        float[] frequencies = Frequencies(500000, new Llama3RopeScaling(8, 1, 4, 8192), 128);
        Assert.Equal(64, frequencies.Length);
        Assert.Equal(1, frequencies[channel] / expected, 5e-6);
    }

    [Theory]
    [InlineData(14, 0.003211445994752591)]
    [InlineData(15, 0.001290547928209264)]
    [InlineData(17, 9.70828780262767e-05)]
    [InlineData(18, 1.9461638184831125e-05)]
    [InlineData(31, 9.41830672543491e-08)]
    public void Frequencies_of_Llama_3_2_1B_are_those_of_the_formula(int channel, double expected) =>
        Assert.Equal(1, Frequencies(500000, new Llama3RopeScaling(32, 1, 4, 8192), 64)[channel] / expected, 5e-6);

    [Fact]
    public void Linear_scaling_divides_every_frequency()
    {
        float[] plain = Frequencies(10000, null, 8);
        Assert.Equal([1f, 0.1f, 0.01f, 0.001f], plain, (a, b) => Math.Abs((a / b) - 1) < 1e-6);
        Assert.Equal(plain.Select(f => f / 4), Frequencies(10000, new LinearRopeScaling(4), 8));
    }
}
