using BenchmarkDotNet.Running;
using T2R.Benchmarks;
using T2R.Interop;

if (args is ["ladder", ..])
{
    return MemoryLadder.Run(args[1..]);
}

LibTorch.Load();
if (args is ["loading", var folder])
{
    LoadingMeasure.Run(folder);
}
else
{
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
}

return 0;
