using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace T2R.Cli;

/// <summary>The usual help, and below it the examples of the verb asked about.</summary>
internal sealed class HelpWithExamples(HelpAction help, IReadOnlyList<string> examplesOfRoot) : SynchronousCommandLineAction
{
    // Help wins over what else is wrong on the line.
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        help.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Examples:");
        foreach (string example in parseResult.CommandResult.Command is Verb verb ? verb.Examples : examplesOfRoot)
        {
            output.WriteLine($"  {example}");
        }

        output.WriteLine();
        return 0;
    }
}
