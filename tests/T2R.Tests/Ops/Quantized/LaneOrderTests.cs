using T2R.Interop;
using T2R.Ops.Quantized;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.Quantized;

/// <summary>The kernels' order of codes, place by place, and back.</summary>
public class LaneOrderTests
{
    private const int Rows = 48, Columns = 192;

    [Fact]
    public void Bytes_come_where_the_kernels_look_for_them()
    {
        using var scope = NewDisposeScope();
        int[] places = [0, 2, 1, 3];
        var codes = randint(-127, 128, [Rows, Columns], ScalarType.Int8);
        byte[] rows = TensorMemory.Bytes(codes).ToArray(), packed = TensorMemory.Bytes(LaneOrder.Pack(QuantizedFormat.EightBit, codes)).ToArray();
        for (int r = 0; r < Rows; r++)
        {
            for (int k = 0; k < Columns; k++)
            {
                Assert.Equal(rows[(r * Columns) + k], packed[(((((Group(r, k) * 2) + (r / 8 % 2)) * 32) + Lane(r, k)) * 16) + (k % 16 / 4 * 4) + places[k % 4]]);
            }
        }
    }

    [Fact]
    public void Half_bytes_come_where_the_kernels_look_for_them()
    {
        using var scope = NewDisposeScope();
        int[] places = [0, 4, 1, 5, 2, 6, 3, 7];
        var codes = randint(0, 256, [Rows, Columns / 2], ScalarType.Byte);
        byte[] rows = TensorMemory.Bytes(codes).ToArray(), packed = TensorMemory.Bytes(LaneOrder.Pack(QuantizedFormat.FourBit, codes)).ToArray();
        for (int r = 0; r < Rows; r++)
        {
            for (int k = 0; k < Columns; k++)
            {
                int place = (k % 16 / 8 * 8) + places[k % 8];
                Assert.Equal(Half(rows[((r * Columns) + k) / 2], k), Half(packed[(((Group(r, k) * 32) + Lane(r, k)) * 16) + (r / 8 % 2 * 8) + (place / 2)], place));
            }
        }
    }

    [Fact]
    public void Both_come_back()
    {
        using var scope = NewDisposeScope();
        foreach (var codes in new[] { randint(-127, 128, [Rows, Columns], ScalarType.Int8), randint(0, 256, [Rows, Columns / 2], ScalarType.Byte) })
        {
            var format = codes.dtype == ScalarType.Int8 ? QuantizedFormat.EightBit : QuantizedFormat.FourBit;
            Assert.Equal(TensorMemory.Bytes(codes).ToArray(), TensorMemory.Bytes(LaneOrder.Unpack(format, LaneOrder.Pack(format, codes), Rows).contiguous()).ToArray());
        }
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("int4")]
    public void A_weight_in_that_order_is_the_same_numbers(string name)
    {
        using var scope = NewDisposeScope();
        using var quantized = Quantizer.Quantize(randn(Rows, Columns), QuantizedFormat.Parse(name), "w");
        using var laned = quantized.ToCard(CPU);
        Assert.True(laned.IsInLaneOrder);
        Assert.Equal(quantized.ByteCount, laned.ByteCount);
        Assert.True(quantized.Dequantize(ScalarType.Float32).equal(laned.Dequantize(ScalarType.Float32)).all().item<bool>());
    }

    private static int Group(int row, int column) => (row / 16 * (Columns / 64)) + (column / 64);

    private static int Lane(int row, int column) => (row % 8 * 4) + (column % 64 / 16);

    private static int Half(byte both, int place) => place % 2 == 0 ? both & 15 : both >> 4;
}
