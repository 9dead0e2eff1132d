using System.CommandLine;

namespace T2R.Cli;

/// <summary>The verbs, and what becomes of their failures: 0 done, 1 the world failed, 2 the user's input is wrong.</summary>
internal static class CommandLine
{
    public static int Run(string[] args)
    {
        var root = new RootCommand("Turns a pretrained Transformer into a recurrent network that generates in constant memory.");
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
            {
                Console.Error.WriteLine($"error: {error.Message}");
            }

            return 2;
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (UserErrorException e)
        {
            foreach (string problem in e.Problems)
            {
                Console.Error.WriteLine($"error: {problem}");
            }

            return 2;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OutOfMemoryException or DllNotFoundException)
        {
            Console.Error.WriteLine($"error: {e.Message}");
            return 1;
        }
    }
}
