using static TorchSharp.torch;

namespace T2R.Ops.Quantized;

/// <summary>A matrix of weights in few bits, on any device. It owns its tensors, which are outside any dispose scope.</summary>
public sealed class QuantizedWeight : IDisposable
{
    /// <summary>A matrix of given codes.</summary>
    /// <param name="format">What they mean.</param>
    /// <param name="codes">In the format's dtype and shape; taken over.</param>
    /// <param name="scales">bf16 <c>[O, I/64]</c>; taken over.</param>
    /// <exception cref="ArgumentException">A shape or a dtype is not the format's; the tensors are still the caller's.</exception>
    public QuantizedWeight(QuantizedFormat format, Tensor codes, Tensor scales)
    {
        (Rows, Columns) = scales.dim() == 2 ? (scales.shape[0], scales.shape[1] * QuantizedFormat.GroupLength) : (0, 0);
        bool fits = scales.dim() == 2 && codes.dtype == format.CodeDtype && scales.dtype == ScalarType.BFloat16
            && codes.shape.AsSpan().SequenceEqual(format.CodeShape(Rows, Columns).AsSpan());
        if (!fits)
        {
            throw new ArgumentException(
                $"{format} codes {codes.dtype} [{string.Join(", ", codes.shape)}] and scales {scales.dtype} [{string.Join(", ", scales.shape)}] do not belong together", nameof(codes));
        }

        (Format, Codes, Scales) = (format, codes.DetachFromDisposeScope(), scales.DetachFromDisposeScope());
    }

    private QuantizedWeight(QuantizedFormat format, Tensor codes, Tensor scales, long rows, long columns) =>
        (Format, Codes, Scales, Rows, Columns, IsInLaneOrder) = (format, codes.DetachFromDisposeScope(), scales.DetachFromDisposeScope(), rows, columns, true);

    /// <summary>What the codes mean.</summary>
    public QuantizedFormat Format { get; }

    /// <summary>Whether codes and scales lie as the card's kernels read them, which is not how files have them.</summary>
    public bool IsInLaneOrder { get; }

    /// <summary>The codes, <see cref="QuantizedFormat.CodeShape"/>; or in one dimension in the kernels' order.</summary>
    public Tensor Codes { get; }

    /// <summary>The scales, bf16 <c>[O, I/64]</c>, or <c>[I/64, O]</c> with codes in the kernels' order.</summary>
    public Tensor Scales { get; }

    /// <summary>O.</summary>
    public long Rows { get; }

    /// <summary>I.</summary>
    public long Columns { get; }

    /// <summary>Bytes it takes.</summary>
    public long ByteCount => Format.ByteCount(Rows, Columns);

    /// <summary>The numbers, <c>[O, I]</c>; exact in fp32.</summary>
    /// <param name="dtype">Of the result.</param>
    public Tensor Dequantize(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        if (IsInLaneOrder && CudaDequantize.Run(this, dtype) is { } numbers)
        {
            return numbers.MoveToOuterDisposeScope();
        }

        var (stored, scales) = IsInLaneOrder ? (LaneOrder.Unpack(Format, Codes, Rows), Scales.t()) : (Codes, Scales);
        var codes = Format == QuantizedFormat.EightBit
            ? stored.to(ScalarType.Float32)
            : LaneOrder.Nibbles(stored).to(ScalarType.Float32).sub_(8);
        return codes.view(Rows, -1, QuantizedFormat.GroupLength).mul_(scales.to(ScalarType.Float32).unsqueeze(-1)).view(Rows, Columns).to(dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The same on a card, in the order of its kernels where they can read it: rows are a multiple of 16 then.</summary>
    /// <param name="device">Where to.</param>
    public QuantizedWeight ToCard(Device device)
    {
        using var scope = NewDisposeScope();
        var (codes, scales) = (Codes.to(device, copy: true), Scales.to(device, copy: true));
        return Rows % LaneOrder.TileRows == 0
            ? new QuantizedWeight(Format, LaneOrder.Pack(Format, codes), scales.t().contiguous(), Rows, Columns)
            : new QuantizedWeight(Format, codes, scales);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Codes.Dispose();
        Scales.Dispose();
    }
}
