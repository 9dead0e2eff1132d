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

if (args is ["tokenizing" or "tokenizing-profile", var tokenizer, var text, var output])
{
    (args[0] == "tokenizing" ? (Action<string, string, string>)TokenizingMeasure.Run : TokenizingMeasure.Profile)(tokenizer, text, output);
    return 0;
}

LibTorch.Load();
switch (args)
{
    case ["loading", var folder]:
        LoadingMeasure.Run(folder);
        break;
    case ["reading", .. var folders]:
        ReadingMeasure.Run(folders is [var only] ? only : null);
        break;
    case ["saving", var config, var folder]:
        SavingMeasure.Run(config, folder);
        break;
    case ["endurance", var model, var tokens, var sequences]:
        EnduranceMeasure.Run(model, long.Parse(tokens, System.Globalization.CultureInfo.InvariantCulture), int.Parse(sequences, System.Globalization.CultureInfo.InvariantCulture));
        break;
    case ["agreement", var folder, var device, var dtype, .. var ids]:
        AgreementMeasure.Run(folder, new TorchSharp.torch.Device(device), T2R.Models.DtypeName.Parse(dtype), [.. ids.Select(i => int.Parse(i, System.Globalization.CultureInfo.InvariantCulture))]);
        break;
    case ["windows", var stream, var length]:
        WindowsMeasure.Run(stream, int.Parse(length, System.Globalization.CultureInfo.InvariantCulture));
        break;
    case ["fuzz", var inputs, var seed]:
        return FuzzFiles.Run(long.Parse(inputs, System.Globalization.CultureInfo.InvariantCulture), int.Parse(seed, System.Globalization.CultureInfo.InvariantCulture));
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
