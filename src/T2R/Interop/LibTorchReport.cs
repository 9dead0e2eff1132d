namespace T2R.Interop;

/// <summary>Which native libraries this process runs on.</summary>
/// <param name="Folder">The folder libtorch was loaded from.</param>
/// <param name="ChosenBy">Why that folder, in words: the variable, the build, an installed PyTorch.</param>
/// <param name="Version">libtorch's version, as it states it itself.</param>
/// <param name="HasCuda">Whether that libtorch was built for CUDA; a card may still be missing.</param>
/// <param name="LibTorchSharp">The file of TorchSharp's native library that was loaded.</param>
/// <param name="Patched">Whether that file is this program's copy, for systems whose C++ library is older than GCC 13's.</param>
public sealed record LibTorchReport(string Folder, string ChosenBy, Version Version, bool HasCuda, string LibTorchSharp, bool Patched);
