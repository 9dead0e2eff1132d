using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

internal static class LogitsAssert
{
    /// <summary>Fails unless every logit is within 10⁻⁴ of the largest logit's size.</summary>
    /// <param name="expected"><c>[T][V]</c>.</param>
    /// <param name="actual_TV">fp32.</param>
    public static void Close(double[][] expected, Tensor actual_TV)
    {
        Assert.Equal([expected.Length, expected[0].Length], actual_TV.shape);
        double largest = expected.Max(row => row.Max(Math.Abs));
        Assert.True(largest > 0.5, $"the largest logit is {largest}: nothing to compare");
        float[] actual = [.. actual_TV.contiguous().data<float>()];
        double[] flat = [.. expected.SelectMany(row => row)];
        double difference = flat.Zip(actual, (e, a) => Math.Abs(e - a)).Max();
        Assert.True(difference <= 1e-4 * largest, $"logits differ by {difference:g3}, and the largest is {largest:g3}");
    }
}
