using Microsoft.Win32.SafeHandles;

namespace T2R.Cli;

/// <summary>
/// Standard output for a result that is streamed: bytes as they are, at once. A reader that has gone away, as <c>head</c> does, shows as an exception; the
/// console's own stream would swallow it and the work would go on for nobody.
/// </summary>
internal static class ResultStream
{
    private const int BrokenPipe = 32; // EPIPE; .NET carries errno in HResult on Unix

    public static Stream Open()
    {
        var pipe = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);

        // On a regular file a FileStream keeps a position of its own, and what the shell writes next would overwrite ours.
        return pipe.CanSeek ? Console.OpenStandardOutput() : pipe;
    }

    /// <summary>Whether the reader is gone.</summary>
    public static bool IsGone(IOException exception) => exception.HResult == BrokenPipe;
}
