using System.Runtime.CompilerServices;
using T2R.Interop;

namespace T2R.Gpu.Tests;

internal static class Startup
{
    [ModuleInitializer]
    internal static void Load() => LibTorch.Load();
}
