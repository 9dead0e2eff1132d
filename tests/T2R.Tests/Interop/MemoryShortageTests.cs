using T2R.Interop;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Interop;

public class MemoryShortageTests
{
    [Theory]
    [InlineData("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.20 GiB is free.\nstack", true, 5L << 29)]
    [InlineData("CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 79.11 GiB total capacity)", true, 20L << 20)]
    [InlineData("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported", true, null)]
    [InlineData("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", true, null)]
    [InlineData("the CUDA driver's cuModuleLoadData failed: CUDA_ERROR_OUT_OF_MEMORY, out of memory", true, null)]
    [InlineData("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096000 bytes. Error code 12 (Cannot allocate memory)", false, 4096000L)]
    [InlineData("std::bad_alloc", false, null)]
    public void What_libtorch_and_the_driver_say_is_understood(string message, bool onCard, long? wanted)
    {
        Assert.Equal((onCard, wanted), Read(new LibTorchError(message)));
        Assert.Equal((onCard, wanted), Read(new AggregateException(new InvalidOperationException("a thread failed", new LibTorchError(message)))));

        static (bool OnCard, long? Wanted)? Read(Exception e) => MemoryShortage.Of(e) is { } shortage ? (shortage.OnCard, shortage.Wanted) : null;
    }

    [Fact]
    public void Other_failures_are_none()
    {
        Assert.Null(MemoryShortage.Of(new LibTorchError("CUDA error: an illegal memory access was encountered")));
        Assert.Null(MemoryShortage.Of(new IOException("No space left on device")));
        Assert.False(MemoryShortage.Of(new InsufficientMemoryException("no pinned memory"))!.OnCard);
    }

    [Fact]
    public void What_libtorch_really_throws_is_understood()
    {
        // 64 TiB: more than any system gives.
        var thrown = Assert.ThrowsAny<Exception>(() => empty(1L << 46, ScalarType.Byte));
        Assert.Equal(1L << 46, MemoryShortage.Of(thrown)!.Wanted);
        Assert.StartsWith("out of memory on the host: 65,536.0 GiB more were asked for; this process holds ", MemoryShortage.Of(thrown)!.ToString());
    }
}
