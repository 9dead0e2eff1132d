using System.Runtime.InteropServices;
using T2R.Interop;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Interop;

public class TensorMemoryTests
{
    [Fact]
    public void The_address_counts_the_storage_offset()
    {
        using var scope = NewDisposeScope();
        var x = arange(10, dtype: float32);
        Assert.Equal(4 * sizeof(float), TensorMemory.DataPointer(x[TensorIndex.Slice(4, 8)]) - TensorMemory.DataPointer(x));
    }

    [Fact]
    public void A_span_reads_and_writes_the_tensor_in_place()
    {
        using var scope = NewDisposeScope();
        var x = arange(6, dtype: float32).reshape(2, 3);
        Span<float> span = TensorMemory.AsSpan<float>(x);
        Assert.Equal([0f, 1, 2, 3, 4, 5], span.ToArray());
        span[5] = 42;
        Assert.Equal(42f, x[1, 2].item<float>());
    }

    [Fact]
    public void A_bfloat16_tensor_gives_its_bits()
    {
        using var scope = NewDisposeScope();
        var x = tensor([1f, -2f]).to(bfloat16);
        Assert.Equal([(ushort)0x3f80, (ushort)0xc000], TensorMemory.AsSpan<ushort>(x).ToArray());
    }

    [Fact]
    public void A_span_of_a_transposed_tensor_is_refused_with_its_strides()
    {
        using var scope = NewDisposeScope();
        var refusal = Assert.Throws<ArgumentException>(() => TensorMemory.AsSpan<float>(zeros(2, 3).t()).Length);
        Assert.Contains("[1, 3]", refusal.Message);
    }

    [Fact]
    public void A_span_of_another_type_of_the_same_size_is_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>(() => TensorMemory.AsSpan<float>(zeros(2, dtype: int32)).Length);
        Assert.Throws<ArgumentException>(() => TensorMemory.AsSpan<Half>(zeros(2, dtype: bfloat16)).Length);
    }

    [Fact]
    public void A_span_of_a_tensor_without_memory_is_refused_by_its_device()
    {
        using var scope = NewDisposeScope();
        var refusal = Assert.Throws<ArgumentException>(() => TensorMemory.AsSpan<float>(zeros(2, device: META)).Length);
        Assert.Contains("meta", refusal.Message);
    }

    [Fact]
    public void A_tensor_over_foreign_memory_shares_it_and_does_not_free_it()
    {
        nint memory = Marshal.AllocHGlobal(6 * sizeof(float));
        try
        {
            Marshal.Copy(new[] { 0f, 1, 2, 3, 4, 5 }, 0, memory, 6);
            long before = TensorCount.Settled();
            using (var x = TensorMemory.FromMemory(memory, [2, 3], float32))
            {
                Assert.Equal(memory, TensorMemory.DataPointer(x));
                Assert.Equal([2, 3], x.shape);
                Marshal.WriteInt32(memory + 20, BitConverter.SingleToInt32Bits(42));
                using Tensor last = x[1, 2];
                Assert.Equal(42f, last.item<float>());
            }

            Assert.Equal(before, Tensor.TotalCount);
            Assert.Equal(BitConverter.SingleToInt32Bits(42), Marshal.ReadInt32(memory + 20));
        }
        finally
        {
            Marshal.FreeHGlobal(memory);
        }
    }

    [Theory]
    [InlineData(ScalarType.Byte, 1)]
    [InlineData(ScalarType.Int8, 1)]
    [InlineData(ScalarType.Bool, 1)]
    [InlineData(ScalarType.Int16, 2)]
    [InlineData(ScalarType.Float16, 2)]
    [InlineData(ScalarType.BFloat16, 2)]
    [InlineData(ScalarType.Int32, 4)]
    [InlineData(ScalarType.Float32, 4)]
    [InlineData(ScalarType.Int64, 8)]
    [InlineData(ScalarType.Float64, 8)]
    public void A_tensor_over_foreign_memory_has_the_dtype_asked_for(ScalarType dtype, long size)
    {
        using var scope = NewDisposeScope();
        var source = tensor([1f, 0f, 1f]).to(dtype);
        var x = TensorMemory.FromMemory(TensorMemory.DataPointer(source), [3], dtype);
        Assert.Equal(dtype, x.dtype);
        Assert.Equal(size, x.element_size());
        Assert.True(x.eq(source).all().item<bool>());
    }

    [Fact]
    public void Scalars_and_empty_tensors_can_lie_over_foreign_memory()
    {
        using var scope = NewDisposeScope();
        var source = tensor(3.5);
        Assert.Equal(3.5, TensorMemory.FromMemory(TensorMemory.DataPointer(source), [], float64).item<double>());
        Assert.Equal(0, TensorMemory.FromMemory(0, [2, 0, 3], float32).sum().item<float>());
        Assert.Throws<ArgumentException>(() => TensorMemory.FromMemory(0, [2], float32));
        Assert.Throws<ArgumentOutOfRangeException>(() => TensorMemory.FromMemory(1, [-2], float32));
    }

    [Fact]
    public void Tensors_over_foreign_memory_belong_to_the_open_scope()
    {
        long before = TensorCount.Settled();
        using (NewDisposeScope())
        {
            var source = zeros(4);
            for (int i = 0; i < 10; i++)
            {
                TensorMemory.FromMemory(TensorMemory.DataPointer(source), [4], float32).add_(1);
            }

            Assert.Equal(10f, source[0].item<float>());
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void A_part_of_a_tensors_bytes_is_that_part_and_no_more()
    {
        using var scope = NewDisposeScope();
        var x = tensor((byte[])[1, 2, 3, 4, 5, 6]).view(2, 3);
        Assert.Equal([3, 4], TensorMemory.Bytes(x, 2, 2).ToArray());
        Assert.Empty(TensorMemory.Bytes(x, 6, 0).ToArray());
        foreach (var (offset, count) in new[] { (-1L, 1), (0L, 7), (6L, 1), (long.MaxValue, 1) })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => TensorMemory.Bytes(x, offset, count).Length);
        }

        Assert.Throws<ArgumentException>(() => TensorMemory.Bytes(x.t(), 0, 1).Length);
    }

    [Fact]
    public void Memory_in_large_pages_is_memory()
    {
        using var scope = NewDisposeScope();
        long[][] shapes = [[5_000_001], [3, 2], [0, 7], []];
        foreach (long[] shape in shapes)
        {
            var x = TensorMemory.ToBeFilled(shape, float64);
            Assert.Equal(shape, x.shape);
            Assert.Equal(2 * x.numel(), x.fill_(2).sum().item<double>());
        }
    }
}
