using System.CommandLine;
using T2R.Interop;

namespace T2R.Cli;

/// <summary>A verb of the program: a command with examples in its help, which loads libtorch before it runs, not before it is parsed.</summary>
internal sealed class Verb(string name, string description) : Command(name, description)
{
    /// <summary>Whole command lines that start with <c>t2r</c>; a test parses each.</summary>
    public required IReadOnlyList<string> Examples { get; init; }

    /// <summary>Whether it computes with tensors.</summary>
    public bool UsesLibTorch { get; init; } = true;

    /// <summary>Says what the verb does; the action runs on the main thread and returns the exit code, 0 unless it has a reason.</summary>
    public void Does(Func<ParseResult, CancellationToken, int> action) => SetAction((parsed, stop) =>
    {
        if (UsesLibTorch)
        {
            LibTorch.Load();
        }

        return Task.FromResult(action(parsed, stop));
    });

    /// <summary>As the other, for an action that ends well or throws.</summary>
    public void Does(Action<ParseResult, CancellationToken> action) => Does((parsed, stop) =>
    {
        action(parsed, stop);
        return 0;
    });
}
