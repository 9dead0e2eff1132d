using System.Runtime.CompilerServices;
using T2R.Interop;

namespace T2R.Tests;

internal static class Startup
{
    [ModuleInitializer]
    internal static void Load()
    {
        LibTorch.Load();

        // Tests run in parallel themselves: teams of threads inside small operators would only wait for each other.
        TorchSharp.torch.set_num_threads(1);
    }
}
