using System.Runtime.CompilerServices;
using T2R.Interop;
using Xunit;

// One card, one count of tensors: tests that measure either want it for themselves.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace T2R.Gpu.Tests;

internal static class Startup
{
    [ModuleInitializer]
    internal static void Load() => LibTorch.Load();
}
