using T2R.Interop;
using Xunit;

namespace T2R.Tests.Interop;

public sealed class LibTorchSearchTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("t2r-search-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_first_folder_that_holds_libtorch_is_taken_and_the_last_resort_not_asked()
    {
        LibTorchFolder[] folders = [new("/nowhere", "first"), Folder("a", "second", libraries: "libtorch_cpu.so"), Folder("b", "third", libraries: "libtorch_cpu.so")];
        Assert.Equal(folders[1], LibTorchSearch.Find(folders, () => throw new InvalidOperationException("asked")));
    }

    [Fact]
    public void When_no_folder_holds_it_the_last_resort_is_taken()
    {
        LibTorchFolder python = Folder("python", "PyTorch", libraries: "libtorch_cpu.so");
        Assert.Equal(python, LibTorchSearch.Find([Folder("a", "empty")], () => python));
    }

    [Fact]
    public void When_nothing_is_found_the_message_lists_every_place_and_what_to_do()
    {
        var refusal = Assert.Throws<DllNotFoundException>(() => LibTorchSearch.Find([new("/nowhere", "recorded by the build"), new("/elsewhere", "NuGet")], () => null));
        Assert.Contains("/nowhere (recorded by the build), /elsewhere (NuGet)", refusal.Message);
        Assert.Contains("python3", refusal.Message);
        Assert.Contains("libtorch-cpu-linux-x64", refusal.Message);
        Assert.Contains("T2R_LIBTORCH", refusal.Message);
    }

    [Fact]
    public void A_folder_the_user_names_is_made_absolute_and_remembered_as_the_users()
    {
        LibTorchFolder folder = Folder("named", "", libraries: "libtorch_cpu.so");
        LibTorchFolder found = LibTorchSearch.Named(Path.GetRelativePath(Directory.GetCurrentDirectory(), folder.Path));
        Assert.Equal((folder.Path, true), (found.Path, found.IsUsersChoice));
    }

    [Fact]
    public void Libtorch_is_for_CUDA_when_both_of_its_CUDA_libraries_are_there()
    {
        Assert.False(Folder("one", "", "libtorch_cpu.so", "libc10_cuda.so").HasCuda);
        Assert.True(Folder("both", "", "libtorch_cpu.so", "libc10_cuda.so", "libtorch_cuda.so").HasCuda);
    }

    private LibTorchFolder Folder(string name, string chosenBy, params string[] libraries)
    {
        DirectoryInfo folder = _folder.CreateSubdirectory(name);
        foreach (string library in libraries)
        {
            File.WriteAllText(Path.Combine(folder.FullName, library), "");
        }

        return new LibTorchFolder(folder.FullName, chosenBy);
    }
}
