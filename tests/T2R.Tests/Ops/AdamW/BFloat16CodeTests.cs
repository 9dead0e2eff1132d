using System.Runtime.Intrinsics;
using T2R.Interop;
using T2R.Ops.AdamW;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.AdamW;

public class BFloat16CodeTests
{
    private static readonly uint[] Random = [.. Enumerable.Range(0, 1 << 16).Select(i => (uint)i)];

    [Theory]
    [InlineData(1f)]
    [InlineData(-3.25f)]
    [InlineData(0f)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void What_bf16_holds_stays_whatever_the_random_bits(float value) =>
        Assert.All(Encode(value).Distinct(), code => Assert.Equal(BitConverter.SingleToUInt32Bits(value), code << 16));

    [Theory]
    [InlineData(0x7FC00000u)]
    [InlineData(0x7F800001u)]
    [InlineData(0xFFFFFFFFu)]
    public void A_NaN_stays_one(uint bits)
    {
        float value = BitConverter.UInt32BitsToSingle(bits);
        Assert.All(Encode(value).Append(Vector256.WidenLower(Vector256.Create(BFloat16Code.Nearest(Vector256.Create(value)), default))[0]), code => Assert.True(float.IsNaN(Decode(code))));
    }

    [Theory]
    [InlineData(1.001f)]
    [InlineData(-0.3f)]
    [InlineData(1.9999f)]
    [InlineData(3e-39f)]
    [InlineData(-7.7e25f)]
    public void Other_numbers_become_their_neighbours_and_themselves_on_average(float value)
    {
        var codes = Encode(value).ToList();
        Assert.Equal(2, codes.Distinct().Count());
        float below = Decode(codes.Min()), above = Decode(codes.Max());
        Assert.InRange(Math.Abs(value), Math.Abs(below), Math.Abs(above));

        // All random numbers were taken once, so the mean is the number, not near it.
        Assert.Equal(value, codes.Average(c => (double)Decode(c)), Math.Abs(value) * 1e-9);
    }

    [Fact]
    public void The_nearest_is_torchs()
    {
        using var scope = NewDisposeScope();
        var random = new Random(3);
        float[] values = [.. Enumerable.Range(0, 80000).Select(_ => BitConverter.Int32BitsToSingle(random.Next())), .. Enumerable.Range(0, 8).Select(i => 1 + (i / 256f))];
        var torchs = TensorMemory.AsSpan<ushort>(tensor(values).to(ScalarType.BFloat16));
        for (int i = 0; i < values.Length; i += 8)
        {
            var ours = BFloat16Code.Nearest(Vector256.Create(values, i));
            for (int j = 0; j < 8; j++)
            {
                Assert.True(float.IsNaN(values[i + j]) ? float.IsNaN(Decode(ours[j])) : ours[j] == torchs[i + j], $"{values[i + j]}");
            }
        }
    }

    private static float Decode(uint code) => BitConverter.UInt32BitsToSingle(code << 16);

    private static IEnumerable<uint> Encode(float value) => Vectors.Encoded(value, Random, (x, random) =>
    {
        var half = BFloat16Code.Encode(x, random);
        return Vector256.Create(Vector128.WidenLower(half), Vector128.WidenUpper(half));
    });
}
