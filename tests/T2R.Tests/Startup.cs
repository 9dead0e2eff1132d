using System.Runtime.CompilerServices;
using T2R.Interop;
using Xunit.Sdk;
using Xunit.v3;

// torch's random numbers and Tensor.TotalCount are the process's: two tests at once would change them for each other.
[assembly: Parallelization(Mode = ParallelMode.None)]

namespace T2R.Tests;

internal static class Startup
{
    [ModuleInitializer]
    internal static void Load()
    {
        LibTorch.Load();

        // The operators of tests are small: a team of threads would cost more than it gives.
        TorchSharp.torch.set_num_threads(1);
    }
}
