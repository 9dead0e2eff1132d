using System.Globalization;
using Microsoft.Extensions.Logging;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Extensions.Logging;
using Serilog.Formatting.Json;

namespace T2R.Cli.Serve;

/// <summary>What a server logs: a line each on standard error, and as JSON in a file if one is given.</summary>
internal sealed class ServerLog : IDisposable
{
    private readonly Logger _log;

    /// <param name="file">Receives a JSON object a line; null for none.</param>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public ServerLog(string? file)
    {
        LoggerConfiguration configuration = new LoggerConfiguration()
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)

            // What it says is thrown as well.
            .MinimumLevel.Override("Microsoft.Extensions.Hosting", LogEventLevel.Fatal)
            .WriteTo.Console(
                outputTemplate: "{Timestamp:yyyy-MM-dd HH:mm:ss.fff zzz} {Level:u3} {Message:lj}{NewLine}{Exception}",
                formatProvider: CultureInfo.InvariantCulture,
                standardErrorFromLevel: LogEventLevel.Verbose);
        if (file is not null)
        {
            Try(file);
            configuration = configuration.WriteTo.File(new JsonFormatter(renderMessage: true), file, fileSizeLimitBytes: null);
        }

        _log = configuration.CreateLogger();
        Factory = new SerilogLoggerFactory(_log);
    }

    /// <summary>Makes the loggers that write there.</summary>
    public ILoggerFactory Factory { get; }

    /// <summary>A line about what is going on.</summary>
    [MessageTemplateFormatMethod("template")]
    public void Note(string template, params object[] values) => _log.Information(template, values);

    /// <summary>Something that will surprise the user, though the work goes on.</summary>
    public void Warn(string sentence) => _log.Warning("{Sentence:l}", sentence);

    // Serilog passes over a file that it cannot write.
    private static void Try(string file)
    {
        try
        {
            File.AppendAllText(file, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--log: {e.Message} Give a file that can be written, in a folder that is there.", e);
        }
    }

    public void Dispose()
    {
        Factory.Dispose();
        _log.Dispose();
    }
}
