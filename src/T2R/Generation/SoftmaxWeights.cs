using System.Numerics.Tensors;

namespace T2R.Generation;

/// <summary>Softmax without its divisor: exp((l − max) / T), which is the likeliest token's 1.</summary>
internal static class SoftmaxWeights
{
    private const int Part = 2048;

    /// <summary>Computes them.</summary>
    /// <param name="logits"><c>[V]</c>.</param>
    /// <param name="temperature">T, more than 0.</param>
    /// <param name="weights">Receives them, <c>[V]</c>.</param>
    /// <returns>Their sum.</returns>
    internal static double Of(ReadOnlySpan<float> logits, double temperature, Span<float> weights)
    {
        TensorPrimitives.Subtract(logits, TensorPrimitives.Max(logits), weights);

        // 1 / T of a temperature that is hardly a float would be infinite.
        TensorPrimitives.Multiply(weights, (float)(1 / Math.Max(temperature, 1e-30)), weights);
        TensorPrimitives.Exp(weights, weights);

        // In parts: a float cannot sum many thousand to more than four or five digits.
        double sum = 0;
        for (int start = 0; start < weights.Length; start += Part)
        {
            sum += TensorPrimitives.Sum<float>(weights.Slice(start, Math.Min(Part, weights.Length - start)));
        }

        return sum;
    }
}
