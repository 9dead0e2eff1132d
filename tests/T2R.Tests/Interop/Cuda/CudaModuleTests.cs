using System.Text.RegularExpressions;
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

    [Fact]
    public void A_module_holds_the_files_that_it_includes_each_once_and_no_include_is_left()
    {
        string source = CudaModule.Source("Ops/GatedSlot/GatedSlot.cu");
        Assert.DoesNotContain("#include \"", source, StringComparison.Ordinal);
        string[] kernels = ["write", "scan", "output", "rows_backward", "ask", "scan_backward", "columns_backward"];
        Assert.All([.. kernels.Select(k => $" gsa_{k}(const Arguments a)"), "void load_matrices(", "struct Tile"], text => Assert.Single(Regex.Matches(source, Regex.Escape(text))));
    }

    [Fact]
    public void Every_header_is_part_of_some_kernel_file()
    {
        string[] resources = typeof(CudaModule).Assembly.GetManifestResourceNames();
        string[] modules = [.. resources.Where(r => r.EndsWith(".cu", StringComparison.Ordinal)).Select(CudaModule.Source)];
        Assert.NotEmpty(modules);
        Assert.All(resources.Where(r => r.EndsWith(".cuh", StringComparison.Ordinal)), header => Assert.Contains(modules, m => m.Contains($"#line 1 \"{header}\"", StringComparison.Ordinal)));
    }
}
