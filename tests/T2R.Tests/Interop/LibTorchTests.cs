using T2R.Interop;
using TorchSharp;
using Xunit;

namespace T2R.Tests.Interop;

public class LibTorchTests
{
    [Fact]
    public void Backward_of_a_square_is_twice_its_argument()
    {
        using var scope = torch.NewDisposeScope();
        var x = torch.randn(4, 5).requires_grad_(true);
        (x * x).sum().backward();
        Assert.Equal(0f, (x.grad! - (2 * x)).abs().max().item<float>());
    }

    [Fact]
    public void The_report_names_files_that_are_mapped()
    {
        LibTorchReport report = LibTorch.Report;
        string libtorch = Path.Combine(report.Folder, "libtorch_cpu.so");
        Assert.Equal([File.ResolveLinkTarget(libtorch, returnFinalTarget: true)?.FullName ?? libtorch], MappedLibraries.Named("libtorch_cpu.so"));
        Assert.Equal([report.LibTorchSharp], MappedLibraries.Named("libLibTorchSharp.so"));
        Assert.True(report.Version >= LibTorch.OldestSupported);
        Assert.NotEmpty(report.ChosenBy);
    }

    [Fact]
    public void Loading_again_changes_nothing()
    {
        LibTorchReport before = LibTorch.Report;
        LibTorch.Load();
        Assert.Same(before, LibTorch.Report);
    }

    [Fact]
    public void A_second_libtorch_is_refused_before_it_aborts_the_process()
    {
        var refusal = Assert.Throws<InvalidOperationException>(() => MappedLibraries.RequireNoOther("libtorch_cpu.so", "/elsewhere"));
        Assert.Contains(LibTorch.Report.Folder, refusal.Message);
        Assert.Contains("/elsewhere", refusal.Message);
    }

    [Fact]
    public void Maps_lines_of_one_file_count_once_and_other_files_not_at_all()
    {
        string[] maps =
        [
            "7f0000000000-7f0000001000 r--p 00000000 08:01 1 /a folder/libtorch_cpu.so",
            "7f0000001000-7f0000002000 r-xp 00001000 08:01 1 /a folder/libtorch_cpu.so",
            "7f0000002000-7f0000003000 rw-p 00000000 00:00 0 ",
            "7f0000003000-7f0000004000 rw-p 00000000 08:01 2 /b/libtorch_cpu.so.bak",
        ];
        Assert.Equal(["/a folder/libtorch_cpu.so"], MappedLibraries.Named("libtorch_cpu.so", maps));
    }

    [Fact]
    public void Threads_are_at_least_one() => Assert.InRange(CpuThreads.Count, 1, Environment.ProcessorCount);
}
