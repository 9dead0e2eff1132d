using static TorchSharp.torch;

namespace T2R.Ops.Quantized;

/// <summary>A matrix of weights in few bits, on any device. It owns its tensors, which are outside any dispose scope.</summary>
public sealed class QuantizedWeight : IDisposable
{
    /// <summary>A matrix of given codes.</summary>
    /// <param name="format">What they mean.</param>
    /// <param name="codes">In the format's dtype and shape; taken over.</param>
    /// <param name="scales">bf16 <c>[O, I/64]</c>; taken over.</param>
    /// <exception cref="ArgumentException">A shape or a dtype is not the format's.</exception>
    public QuantizedWeight(QuantizedFormat format, Tensor codes, Tensor scales)
    {
        (Format, Codes, Scales) = (format, codes.DetachFromDisposeScope(), scales.DetachFromDisposeScope());
        bool fits = scales.dim() == 2 && codes.dtype == format.CodeDtype && scales.dtype == ScalarType.BFloat16
            && codes.shape.AsSpan().SequenceEqual(format.CodeShape(Rows, Columns).AsSpan());
        if (!fits)
        {
            throw new ArgumentException(
                $"{format} codes {codes.dtype} [{string.Join(", ", codes.shape)}] and scales {scales.dtype} [{string.Join(", ", scales.shape)}] do not belong together", nameof(codes));
        }
    }

    /// <summary>What the codes mean.</summary>
    public QuantizedFormat Format { get; }

    /// <summary>The codes, <see cref="QuantizedFormat.CodeShape"/>.</summary>
    public Tensor Codes { get; }

    /// <summary>The scales, bf16 <c>[O, I/64]</c>.</summary>
    public Tensor Scales { get; }

    /// <summary>O.</summary>
    public long Rows => Scales.shape[0];

    /// <summary>I.</summary>
    public long Columns => Scales.shape[1] * QuantizedFormat.GroupLength;

    /// <summary>Bytes it takes.</summary>
    public long ByteCount => Format.ByteCount(Rows, Columns);

    /// <summary>The numbers, <c>[O, I]</c>; exact in fp32.</summary>
    /// <param name="dtype">Of the result.</param>
    public Tensor Dequantize(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var codes = Format == QuantizedFormat.EightBit
            ? Codes.to(ScalarType.Float32)
            : stack([Codes.bitwise_and(tensor((byte)15, device: Codes.device)), Codes.bitwise_right_shift(tensor((byte)4, device: Codes.device))], -1).to(ScalarType.Float32).sub_(8);
        return codes.view(Rows, -1, QuantizedFormat.GroupLength).mul_(Scales.to(ScalarType.Float32).unsqueeze(-1)).view(Rows, Columns).to(dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The same on another device.</summary>
    /// <param name="device">Where to.</param>
    public QuantizedWeight To(Device device) => new(Format, Codes.to(device, copy: true), Scales.to(device, copy: true));

    /// <inheritdoc />
    public void Dispose()
    {
        Codes.Dispose();
        Scales.Dispose();
    }
}
