using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>The element types of the SafeTensors format that torch and this project share, by their names in the header.</summary>
internal static class ElementType
{
    // In the order of the reference implementation's enumeration, by which its writer sorts. TorchSharp has no names for libtorch's 23 and 24.
    private static readonly (string Name, ScalarType Dtype, int Size)[] All =
    [
        ("BOOL", ScalarType.Bool, 1), ("U8", ScalarType.Byte, 1), ("I8", ScalarType.Int8, 1), ("F8_E5M2", (ScalarType)23, 1), ("F8_E4M3", (ScalarType)24, 1),
        ("I16", ScalarType.Int16, 2), ("F16", ScalarType.Float16, 2), ("BF16", ScalarType.BFloat16, 2), ("I32", ScalarType.Int32, 4), ("F32", ScalarType.Float32, 4),
        ("F64", ScalarType.Float64, 8), ("I64", ScalarType.Int64, 8),
    ];

    /// <summary>All names, for error messages.</summary>
    internal static string Names => string.Join(", ", All.Select(t => t.Name));

    internal static ScalarType? Parse(string name)
    {
        foreach (var type in All)
        {
            if (type.Name == name)
            {
                return type.Dtype;
            }
        }

        return null;
    }

    internal static string Name(ScalarType dtype) => Find(dtype).Name;

    internal static int Size(ScalarType dtype) => Find(dtype).Size;

    /// <summary>The place in the reference's order, in which alignment never falls.</summary>
    internal static int Rank(ScalarType dtype) => Array.IndexOf(All, Find(dtype));

    private static (string Name, ScalarType Dtype, int Size) Find(ScalarType dtype)
    {
        foreach (var type in All)
        {
            if (type.Dtype == dtype)
            {
                return type;
            }
        }

        throw new NotSupportedException($"SafeTensors files of this project hold {Names}, not {dtype}");
    }
}
