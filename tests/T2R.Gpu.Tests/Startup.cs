using System.Runtime.CompilerServices;
using T2R.Interop;
using Xunit.Sdk;
using Xunit.v3;

// One card, one count of tensors: tests that measure either want it for themselves.
[assembly: Parallelization(Mode = ParallelMode.None)]

namespace T2R.Gpu.Tests;

internal static class Startup
{
    [ModuleInitializer]
    internal static void Load() => LibTorch.Load();
}
