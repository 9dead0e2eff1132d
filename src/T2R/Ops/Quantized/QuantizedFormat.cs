using System.Collections.Immutable;
using static TorchSharp.torch;

namespace T2R.Ops.Quantized;

/// <summary>
/// Weights in few bits: groups of 64 along a row are whole numbers, the codes, times a bf16 scale of the group's own. Matrices <c>[O, I]</c> lie row after row:
/// <list type="bullet">
/// <item>int8: codes −127 … 127, signed bytes <c>[O, I]</c>;</item>
/// <item>int4: codes −8 … 7, two to a byte, <c>[O, I/2]</c>: a byte's lower half is the code of the even column plus 8, its upper half that of the odd column plus 8;</item>
/// <item>scales <c>[O, I/64]</c>, of either sign.</item>
/// </list>
/// A code times its scale is exact in fp32.
/// </summary>
public sealed record QuantizedFormat
{
    /// <summary>Weights that share a scale.</summary>
    public const int GroupLength = 64;

    /// <summary>What the name of a matrix's tensor of scales has after that of its codes, in files.</summary>
    public const string ScaleSuffix = "_scale";

    private QuantizedFormat(int bits, int smallest, int largest, ScalarType codeDtype) => (Bits, Smallest, Largest, CodeDtype) = (bits, smallest, largest, codeDtype);

    /// <summary>Eight bits a weight.</summary>
    public static QuantizedFormat EightBit { get; } = new(8, -127, 127, ScalarType.Int8);

    /// <summary>Four bits a weight.</summary>
    public static QuantizedFormat FourBit { get; } = new(4, -8, 7, ScalarType.Byte);

    /// <summary>Every format.</summary>
    public static IReadOnlyList<QuantizedFormat> All { get; } = [EightBit, FourBit];

    /// <summary>Bits of a code.</summary>
    public int Bits { get; }

    /// <summary>The smallest code.</summary>
    public int Smallest { get; }

    /// <summary>The largest code.</summary>
    public int Largest { get; }

    /// <summary>What the tensor of codes is stored in.</summary>
    public ScalarType CodeDtype { get; }

    /// <summary>As people type it: <c>int8</c> or <c>int4</c>.</summary>
    public string Name => $"int{Bits}";

    /// <summary>Reads a name.</summary>
    /// <param name="name"><c>int8</c> or <c>int4</c>.</param>
    /// <exception cref="UserErrorException">It is neither.</exception>
    public static QuantizedFormat Parse(string name) =>
        All.FirstOrDefault(f => f.Name == name) ?? throw new UserErrorException($"'{name}' is not a format of quantised weights; expected {string.Join(" or ", All.Select(f => f.Name))}.");

    /// <summary>The shape of the tensor of codes.</summary>
    /// <param name="rows">O.</param>
    /// <param name="columns">I, a multiple of <see cref="GroupLength"/>.</param>
    public ImmutableArray<long> CodeShape(long rows, long columns) => [rows, columns * Bits / 8];

    /// <summary>The shape of the tensor of scales.</summary>
    /// <param name="rows">O.</param>
    /// <param name="columns">I, a multiple of <see cref="GroupLength"/>.</param>
    public static ImmutableArray<long> ScaleShape(long rows, long columns) => [rows, columns / GroupLength];

    /// <summary>Bytes of a matrix, scales included.</summary>
    /// <param name="rows">O.</param>
    /// <param name="columns">I, a multiple of <see cref="GroupLength"/>.</param>
    public long ByteCount(long rows, long columns) => (rows * columns * Bits / 8) + (rows * columns / GroupLength * sizeof(ushort));

    /// <inheritdoc />
    public override string ToString() => Name;
}
