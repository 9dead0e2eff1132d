using System.CommandLine;
using System.CommandLine.Help;
using System.Runtime.InteropServices;
using T2R.Cli.Verbs;

namespace T2R.Cli;

/// <summary>The verbs, and what becomes of their failures: 0 done, 1 the world failed or the user stopped it, 2 the user's input is wrong.</summary>
internal static class CommandLine
{
    internal static readonly string[] Examples =
    [
        "t2r run recipes/quickstart.yaml",
        "t2r doctor",
        "t2r convert Mistral-7B-v0.1 --out Mistral-7B-GSA",
        "t2r generate Mistral-7B-GSA --prompt \"Once upon a time\"",
        "t2r serve Mistral-7B-GSA",
    ];

    public static RootCommand Create()
    {
        var root = new RootCommand("Turns a pretrained Transformer into a recurrent network that generates in constant memory.")
        {
            RunVerb.Create(),
            ConvertVerb.Create(),
            TrainVerb.Create(),
            ExportVerb.Create(),
            QuantizeVerb.Create(),
            PlotVerb.Create(),
            InspectVerb.Create(),
            MakeRandomVerb.Create(),
            GenerateVerb.Create(),
            ServeVerb.Create(),
            LogitsVerb.Create(),
            EvalVerb.Create(),
            TokenizeVerb.Create(),
            TrainTokenizerVerb.Create(),
            BenchVerb.Create(),
            DoctorVerb.Create(),
            VersionVerb.Create(),
        };
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!, Examples);
        return root;
    }

    public static int Run(string[] args)
    {
        RootCommand root = Create();
        if (args.Length == 0)
        {
            root.Parse(["--help"]).Invoke();
            return 2;
        }

        ParseResult parsed = root.Parse(args);
        if (ParseMistakes.Of(parsed) is { Count: > 0 } mistakes)
        {
            return Failure.Report(new UserErrorException(mistakes), hint: $"`{ParseMistakes.PathOf(parsed)} --help` says what it takes.");
        }

        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = CancelOn(PosixSignal.SIGINT, stop), terminate = CancelOn(PosixSignal.SIGTERM, stop);
        try
        {
            var plain = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return parsed.InvokeAsync(plain, stop.Token).GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            return Failure.Report(e);
        }
    }

    // The first signal asks the verb to end in order; a second one finds no handler and ends the process at once.
    private static PosixSignalRegistration CancelOn(PosixSignal signal, CancellationTokenSource stop) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = !stop.IsCancellationRequested;
        stop.Cancel();
    });
}
