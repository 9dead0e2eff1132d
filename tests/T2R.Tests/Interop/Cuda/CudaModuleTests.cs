using T2R.Interop.Cuda;
using Xunit;

namespace T2R.Tests.Interop.Cuda;

public class CudaModuleTests
{
    [Theory]
    [InlineData("7.5", "--gpu-architecture=sm_75")]
    [InlineData("8.9", "--gpu-architecture=sm_89")]
    [InlineData("9.0", "--gpu-architecture=sm_90a")]
    [InlineData("12.0", "--gpu-architecture=sm_120a")]
    public void Kernels_are_compiled_for_the_architecture_of_the_card(string capability, string option) =>
        Assert.Equal(option, CudaModule.Options(Version.Parse(capability))[0]);

    [Fact]
    public void A_kernel_file_that_is_not_there_is_named() =>
        Assert.Contains("Ops/None.cu", Assert.Throws<ArgumentException>(() => CudaModule.Source("Ops/None.cu")).Message);
}
