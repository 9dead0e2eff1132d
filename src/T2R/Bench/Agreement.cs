using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>How near a result is to its reference.</summary>
/// <param name="Error">‖a − b‖ / ‖b‖.</param>
/// <param name="Cosine">Of the angle between them, each as one long vector.</param>
public sealed record Agreement(double Error, double Cosine)
{
    /// <summary>Compares in fp64 on the CPU.</summary>
    /// <param name="actual">The result, a.</param>
    /// <param name="expected">The reference, b, of the same shape.</param>
    public static Agreement Of(Tensor actual, Tensor expected)
    {
        ArgumentNullException.ThrowIfNull(actual);
        ArgumentNullException.ThrowIfNull(expected);
        using var scope = NewDisposeScope();
        using var off = no_grad();
        var (a, b) = (Wide(actual), Wide(expected));
        double norm = b.norm().item<double>();
        return new Agreement((a - b).norm().item<double>() / norm, a.dot(b).item<double>() / (a.norm().item<double>() * norm));
    }

    private static Tensor Wide(Tensor t) => t.cpu().to(ScalarType.Float64).flatten();
}
