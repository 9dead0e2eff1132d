using BenchmarkDotNet.Running;
using T2R.Benchmarks;
using T2R.Interop;

if (args is ["ladder", ..])
{
    return MemoryLadder.Run(args[1..]);
}

LibTorch.Load();
switch (args)
{
    case ["loading", var folder]:
        LoadingMeasure.Run(folder);
        break;
    case ["saving", var config, var folder]:
        SavingMeasure.Run(config, folder);
        break;
    case ["optimizers"]:
        OptimizerMeasure.Run();
        break;
    case ["decoding", var folder, .. var weights]:
        Array.ForEach(weights, w => DecodingMeasure.Run(folder, w));
        break;
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        break;
}

return 0;
