using System.Collections.Immutable;
using T2R.Models;
using T2R.Ops.AdamW;
using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>What an AdamW keeps of a weight.</summary>
/// <param name="Format">How the moments are stored.</param>
/// <param name="Tensors">Each tensor: the beginning of its name, its type and its shape.</param>
internal sealed record MomentLayout(MomentFormat Format, ImmutableArray<(string Kind, ScalarType Dtype, ImmutableArray<long> Shape)> Tensors)
{
    private const string Mean = "mean", Square = "square", Root = "root", MeanScale = "mean_scale", RootScale = "root_scale", Master = "master";

    /// <summary>Bytes of all tensors.</summary>
    public long ByteCount => Tensors.Sum(t => BytesOf(t.Dtype, t.Shape));

    /// <summary>The layout for a weight.</summary>
    /// <param name="name">Which AdamW.</param>
    /// <param name="dtype">The weight's.</param>
    /// <param name="shape">The weight's.</param>
    public static MomentLayout Of(OptimizerName name, ScalarType dtype, ImmutableArray<long> shape)
    {
        var format = shape.Length < 2 ? MomentFormat.Float32 : FormatOf(name);
        var moments = AdamWOperator.TypeOf(format);
        ImmutableArray<long> scales = [(shape.Aggregate(1L, (product, size) => product * size) + EightBitCode.Block - 1) / EightBitCode.Block];
        return new MomentLayout(format,
        [
            (Mean, moments, shape),
            (format == MomentFormat.EightBit ? Root : Square, moments, shape),
            .. format == MomentFormat.EightBit ? [(MeanScale, ScalarType.Float32, scales), (RootScale, ScalarType.Float32, scales)] : Array.Empty<(string, ScalarType, ImmutableArray<long>)>(),
            .. name == OptimizerName.AdamW && dtype == ScalarType.BFloat16 ? [(Master, ScalarType.Float32, shape)] : Array.Empty<(string, ScalarType, ImmutableArray<long>)>(),
        ]);
    }

    /// <summary>The tensors as a step takes them.</summary>
    /// <param name="tensors">In the order of <see cref="Tensors"/>; there may be more.</param>
    public AdamWState StateOf(IReadOnlyList<Tensor> tensors)
    {
        return new AdamWState(Format, tensors[0], tensors[1], Find(MeanScale), Find(RootScale), Find(Master));

        Tensor? Find(string kind) => Tensors.Zip(tensors).FirstOrDefault(t => t.First.Kind == kind).Second;
    }

    /// <summary>Bytes of a tensor.</summary>
    /// <param name="dtype">Its type.</param>
    /// <param name="shape">Its shape.</param>
    public static long BytesOf(ScalarType dtype, ImmutableArray<long> shape) =>
        shape.Aggregate(dtype == ScalarType.Byte ? 1L : DtypeName.Bytes(dtype), (product, size) => product * size);

    private static MomentFormat FormatOf(OptimizerName name) => name switch
    {
        OptimizerName.AdamW => MomentFormat.Float32,
        OptimizerName.AdamWBf16 => MomentFormat.BFloat16,
        OptimizerName.AdamW8Bit => MomentFormat.EightBit,
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such optimizer"),
    };
}
