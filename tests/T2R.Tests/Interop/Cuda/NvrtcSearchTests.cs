using T2R.Interop.Cuda;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Interop.Cuda;

public class NvrtcSearchTests
{
    [Fact]
    public void Of_a_folders_files_the_compilers_count_newest_first_and_none_newer_than_the_driver()
    {
        using var folder = new TemporaryFolder();
        string[] names =
        [
            "libnvrtc.so.11.2", "libnvrtc.so.12", "libnvrtc-120b3d3c.so.12", "libnvrtc.so.13", "libnvrtc-builtins.so.12.8", "libnvrtc.alt.so.12", "libnvrtc_static.a", "libnvrtcx.so",
        ];
        foreach (string name in names)
        {
            File.WriteAllText(folder[name], "");
        }

        Assert.Equal(["libnvrtc-120b3d3c.so.12", "libnvrtc.so.12", "libnvrtc.so.11.2"], Found(12));
        Assert.Equal("libnvrtc.so.13", Found(13)[0]);

        string[] Found(int newest) => [.. NvrtcSearch.Files(folder.Path, newest).Select(f => Path.GetFileName(f))];
    }

    [Fact]
    public void The_folder_of_libtorch_comes_first_then_the_packages_beside_PyTorch()
    {
        using var site = new TemporaryFolder();
        string libtorch = Directory.CreateDirectory(site["torch/lib"]).FullName;
        Directory.CreateDirectory(site["nvidia/cuda_nvrtc/lib"]);
        Directory.CreateDirectory(site["nvidia/cu13/lib"]);
        Directory.CreateDirectory(site["nvidia/cublas/include"]);
        Assert.Equal([libtorch, site["nvidia/cuda_nvrtc/lib"], site["nvidia/cu13/lib"]], NvrtcSearch.Folders(libtorch).Take(3));
    }
}
