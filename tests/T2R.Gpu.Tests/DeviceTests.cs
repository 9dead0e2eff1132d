using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using TorchSharp;
using Xunit;

namespace T2R.Gpu.Tests;

/// <summary>Whether this machine has a CUDA device that libtorch sees.</summary>
public static class Gpu
{
    public static bool Present => torch.cuda_is_available();

    /// <summary>Whether there are two of one kind, so that both give the same bits.</summary>
    public static bool TwoPresent => Present && CudaDevice.All() is [var first, var second, ..] && first.Name == second.Name;

    /// <summary>The second one.</summary>
    public static torch.Device Second { get; } = new(DeviceType.CUDA, 1);

    /// <summary>Lets libtorch's allocator give back the memory of the card that it keeps for later: it does so before it refuses what the card does not have.</summary>
    public static void ReleaseCache() =>
        Assert.ThrowsAny<ExternalException>(() => torch.empty(2 * CudaMemory.Now(device: 0).Total, torch.ScalarType.Byte, torch.CUDA));
}

public class DeviceTests
{
    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_product_on_the_card_equals_the_one_on_the_CPU()
    {
        using var scope = torch.NewDisposeScope();
        var a = torch.randn(64, 64);
        var onCard = a.to(torch.CUDA).matmul(a.to(torch.CUDA)).cpu();
        Assert.True((onCard - a.matmul(a)).abs().max().item<float>() < 1e-3);
    }
}
