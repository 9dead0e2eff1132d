using T2R.Interop.Cuda;
using Xunit;

namespace T2R.Gpu.Tests;

public class NvrtcTests
{
    private static string[] Options => CudaModule.Options(CudaDevice.All()[0].ComputeCapability);

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_mistake_in_a_kernel_is_told_with_file_and_line()
    {
        var error = Assert.Throws<InvalidOperationException>(() => Nvrtc.Compile("Ops/Wrong.cu", "extern \"C\" __global__ void f()\n{ nonsense; }\n", Options));
        Assert.Contains("Ops/Wrong.cu(2)", error.Message);
        Assert.Contains("nonsense", error.Message);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_compiler_knows_every_card() => Assert.All(CudaDevice.All(), card => Assert.True(KernelCompiler.Try(card).Major >= 11));

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_kernel_compiles_to_machine_code()
    {
        byte[] cubin = Nvrtc.Compile("right.cu", "extern \"C\" __global__ void f(float* x) { x[threadIdx.x] = 1; }", Options);
        Assert.Equal("\u007fELF"u8.ToArray(), cubin[..4]);
    }
}
