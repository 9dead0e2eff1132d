using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>The dtypes weights are stored in, by the names of config.json's <c>torch_dtype</c> and by the short names people type.</summary>
public static class DtypeName
{
    private static readonly (ScalarType Dtype, string Name, string Short, int Bytes)[] All =
    [
        (ScalarType.BFloat16, "bfloat16", "bf16", 2),
        (ScalarType.Float16, "float16", "fp16", 2),
        (ScalarType.Float32, "float32", "fp32", 4),
        (ScalarType.Float64, "float64", "fp64", 8),
    ];

    /// <summary>The short names, for help and messages.</summary>
    public static IReadOnlyList<string> ShortNames { get; } = [.. All.Select(d => d.Short)];

    /// <summary>As config.json has it: <c>bfloat16</c>.</summary>
    /// <param name="dtype">A floating-point dtype.</param>
    /// <exception cref="ArgumentException">No weights are stored in it.</exception>
    public static string Of(ScalarType dtype) => Row(dtype).Name;

    /// <summary>Bytes of one number.</summary>
    /// <param name="dtype">A floating-point dtype.</param>
    /// <exception cref="ArgumentException">No weights are stored in it.</exception>
    public static int Bytes(ScalarType dtype) => Row(dtype).Bytes;

    /// <summary>Reads either name.</summary>
    /// <param name="name"><c>bf16</c> or <c>bfloat16</c>, and so on.</param>
    /// <exception cref="UserErrorException">It names no dtype of weights.</exception>
    public static ScalarType Parse(string name)
    {
        foreach (var dtype in All)
        {
            if (name == dtype.Name || name == dtype.Short)
            {
                return dtype.Dtype;
            }
        }

        throw new UserErrorException($"'{name}' is not a dtype of weights; expected one of {string.Join(", ", ShortNames)}.");
    }

    private static (ScalarType Dtype, string Name, string Short, int Bytes) Row(ScalarType dtype) =>
        All.FirstOrDefault(d => d.Dtype == dtype) is { Name: not null } row ? row : throw new ArgumentException($"weights are not stored as {dtype}", nameof(dtype));
}
