using T2R.Interop;
using T2R.Ops.GatedSlot;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.GatedSlot;

/// <summary>What the kernels are given to read, which is the same with and without a card.</summary>
public class CudaChunkTests
{
    [Fact]
    public void A_slice_of_a_wider_projection_is_read_where_it_lies()
    {
        using var scope = NewDisposeScope();
        var slice = randn(2, 5, 96).to(ScalarType.BFloat16).narrow(2, 32, 64).view(2, 5, 2, 32);
        Assert.Equal(TensorMemory.DataPointer(slice), TensorMemory.DataPointer(CudaChunk.ByToken(slice)));
    }

    [Fact]
    public void Sequences_of_one_token_whose_stride_is_another_are_copied()
    {
        using var scope = NewDisposeScope();

        // Contiguous to torch, though a token's stride says that the second sequence begins where the third would.
        var x = randn(1, 2, 2, 32).transpose(0, 1);
        Assert.True(x.is_contiguous());
        HoldsTheSame(x);
    }

    [Fact]
    public void What_begins_at_an_odd_address_is_copied()
    {
        using var scope = NewDisposeScope();
        var x = randn((2 * 5 * 64) + 1).to(ScalarType.BFloat16).narrow(0, 1, 2 * 5 * 64).view(2, 5, 2, 32);
        Assert.NotEqual(0, TensorMemory.DataPointer(x) % 16);
        HoldsTheSame(x);
    }

    [Fact]
    public void Some_sequences_of_tokens_are_copied()
    {
        using var scope = NewDisposeScope();
        HoldsTheSame(randn(2, 7, 2, 32).narrow(1, 1, 5));
    }

    private static void HoldsTheSame(Tensor x)
    {
        var read = CudaChunk.ByToken(x);
        Assert.Equal(0, TensorMemory.DataPointer(read) % 16);
        Assert.Equal(read.stride()[1] * read.shape[1], read.stride()[0]);
        Assert.True(read.equal(x).all().item<bool>());
    }
}
