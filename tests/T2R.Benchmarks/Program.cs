using BenchmarkDotNet.Running;
using T2R.Benchmarks;
using T2R.Interop;

if (args is ["ladder", ..])
{
    return MemoryLadder.Run(args[1..]);
}

if (args is ["load", var url, var clients, var seconds])
{
    return LoadClient.Run(url, int.Parse(clients), int.Parse(seconds));
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
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        break;
}

return 0;
