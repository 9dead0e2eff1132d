using T2R.Interop.Cuda;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Interop.Cuda;

public class KernelCacheTests
{
    private static readonly Version Compiler = new(13, 0);
    private int _compiled;

    [Fact]
    public void What_was_compiled_once_is_read_from_disk()
    {
        using var folder = new TemporaryFolder();
        byte[] first = Get(folder), second = Get(folder);
        Assert.Equal([1, 2, 3, 4], first);
        Assert.Equal(first, second);
        Assert.Equal(1, _compiled);
        Assert.StartsWith("step-", Path.GetFileName(Assert.Single(Kept(folder))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("other source", "sm_90a", "13.0")]
    [InlineData("source", "sm_80", "13.0")]
    [InlineData("source", "sm_90a", "13.1")]
    public void Another_source_option_or_compiler_is_another_file(string source, string option, string version)
    {
        using var folder = new TemporaryFolder();
        Get(folder);
        Get(folder, source, option, Version.Parse(version));
        Assert.Equal(2, _compiled);
        Assert.Equal(2, Kept(folder).Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_damaged_file_is_made_anew(bool truncate)
    {
        using var folder = new TemporaryFolder();
        Get(folder);
        string file = Kept(folder)[0];
        byte[] bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, truncate ? bytes[..10] : bytes);
        Assert.Equal([1, 2, 3, 4], Get(folder));
        Get(folder);
        Assert.Equal(2, _compiled);
    }

    [Fact]
    public void The_next_folder_serves_where_the_first_cannot_be_written()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        string[] folders = [folder["file"], folder["second"]];
        KernelCache.Get("step.cu", "source", [], Compiler, folders, Compile);
        KernelCache.Get("step.cu", "source", [], Compiler, folders, Compile);
        Assert.Equal(1, _compiled);
        Assert.Equal([1, 2, 3, 4], KernelCache.Get("step.cu", "source", [], Compiler, [folder["file"]], Compile));
    }

    private static string[] Kept(TemporaryFolder folder) => Directory.GetFiles(folder["kernels"]);

    private byte[] Get(TemporaryFolder folder, string source = "source", string option = "sm_90a", Version? version = null) =>
        KernelCache.Get("Ops/Some/step.cu", source, [option], version ?? Compiler, [folder.Path], Compile);

    private byte[] Compile(string file, string source, IReadOnlyList<string> options)
    {
        _compiled++;
        return [1, 2, 3, 4];
    }
}
