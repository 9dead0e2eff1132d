using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace T2R.Cli;

/// <summary>
/// Where verbs write. Results go to standard output; notes, warnings, errors and progress to standard error, so that a result can be piped. Colours,
/// borders and moving lines only in a terminal; elsewhere plain lines of any length.
/// </summary>
internal static class Screen
{
    private static readonly JsonSerializerOptions JsonStyle = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    private static readonly Lazy<IAnsiConsole> Errors = new(() => Open(Console.Error, Console.IsErrorRedirected));

    /// <summary>Standard error, for what needs more of it than a line.</summary>
    public static IAnsiConsole ErrorConsole => Errors.Value;

    /// <summary>Whether standard error is a terminal on which lines can be redrawn.</summary>
    public static bool IsInteractive => !Console.IsErrorRedirected && ErrorConsole.Profile.Capabilities is { Interactive: true, Ansi: true };

    /// <summary>A line of the result, as it is.</summary>
    public static void Print(string line) => Console.Out.WriteLine(line);

    /// <summary>The result for a program to read: one JSON document with snake_case names.</summary>
    public static void PrintJson<T>(T value) => Print(Json(value));

    /// <summary>The text of such a document.</summary>
    public static string Json<T>(T value) => JsonSerializer.Serialize(value, JsonStyle);

    /// <summary>The result as a table.</summary>
    public static void Print(ScreenTable table)
    {
        if (Console.IsOutputRedirected)
        {
            table.WriteTo(Console.Out);
        }
        else
        {
            table.WriteTo(AnsiConsole.Console);
        }
    }

    /// <summary>A line about what is going on.</summary>
    public static void Note(string line) => ErrorConsole.WriteLine(line);

    /// <summary>Something that will surprise the user, though the work goes on.</summary>
    public static void Warn(string sentence) => Label("warning", Color.Yellow, sentence);

    /// <summary>Something that ends the work.</summary>
    public static void Error(string sentence) => Label("error", Color.Red, sentence);

    private static void Label(string label, Color color, string sentence)
    {
        ErrorConsole.Write(new Text($"{label}: ", new Style(color, decoration: Decoration.Bold)));
        ErrorConsole.WriteLine(sentence);
    }

    private static IAnsiConsole Open(TextWriter writer, bool redirected)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (redirected)
        {
            // Spectre would otherwise break lines at 80 columns.
            console.Profile.Width = 1 << 16;
        }

        return console;
    }
}
