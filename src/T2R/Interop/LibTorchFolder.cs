namespace T2R.Interop;

/// <summary>A folder that may hold libtorch, and why it is looked at.</summary>
/// <param name="Path">The folder.</param>
/// <param name="ChosenBy">The reason, in words.</param>
/// <param name="IsUsersChoice">Whether the user named it, so that a mistake in it is the user's to mend.</param>
internal sealed record LibTorchFolder(string Path, string ChosenBy, bool IsUsersChoice = false)
{
    public bool HasLibTorch => System.IO.File.Exists(File("libtorch_cpu.so"));

    public bool HasCuda => System.IO.File.Exists(File("libc10_cuda.so")) && System.IO.File.Exists(File("libtorch_cuda.so"));

    public string File(string name) => System.IO.Path.Combine(Path, name);
}
