using System.Reflection;
using System.Runtime.InteropServices;
using T2R.Bench;
using T2R.Interop;
using T2R.Recipes;

namespace T2R.Cli;

/// <summary>What the user reads when a verb fails, and the exit code.</summary>
internal static class Failure
{
    private const int NoSpaceLeft = 28; // ENOSPC; .NET carries errno in HResult on Unix
    private const string DebugVariable = "T2R_DEBUG";

    /// <summary>Writes the failure to standard error.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="hint">A last line for a user's error.</param>
    /// <returns>2 for what the user can correct, 1 for everything else.</returns>
    public static int Report(Exception exception, string? hint = null)
    {
        Exception e = Innermost(exception);
        if (e is OperationCanceledException)
        {
            Screen.Note("stopped");
            return 1;
        }

        foreach (string sentence in Sentences(e))
        {
            Screen.Error(sentence);
        }

        if (hint is not null)
        {
            Screen.Note(hint);
        }

        if (Environment.GetEnvironmentVariable(DebugVariable) == "1")
        {
            Screen.Note(exception.ToString());
        }

        return e is UserErrorException ? 2 : 1;
    }

    internal static IReadOnlyList<string> Sentences(Exception e) => e switch
    {
        UserErrorException user => user.Problems,
        IOException { HResult: NoSpaceLeft } when !e.Message.Contains("space left", StringComparison.OrdinalIgnoreCase) => [$"no space left on device: {e.Message}"],
        RunOutOfMemoryException or WrongResultException => [e.Message],
        IOException or UnauthorizedAccessException or DllNotFoundException => [e.Message],
        _ when MemoryShortage.Of(e) is { } shortage => [OutOfMemory(shortage)],

        // libtorch's text goes on with its own stack.
        ExternalException => [FirstLine(e.Message), $"That is what libtorch said; {DebugVariable}=1 shows where it was called."],
        _ => [$"{e.GetType().Name}: {FirstLine(e.Message)}", $"This should not happen; {DebugVariable}=1 shows where it did."],
    };

    private static string OutOfMemory(MemoryShortage shortage) =>
        $"{shortage}. Fewer or shorter texts at once and --dtype bf16 need less; {(shortage.OnCard ? "`nvidia-smi`" : "`top`")} shows who else uses it.";

    private static string FirstLine(string text) => text.Split('\n')[0].Trim();

    // Wrappers that only say that something else was thrown.
    private static Exception Innermost(Exception e)
    {
        while (e is AggregateException or TargetInvocationException or TypeInitializationException && e.InnerException is { } inner)
        {
            e = inner;
        }

        return e;
    }
}
