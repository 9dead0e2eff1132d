using System.Globalization;
using System.Text.RegularExpressions;
using T2R.Interop.Cuda;

namespace T2R.Interop;

/// <summary>Memory that was asked for and not given, as libtorch, the driver or the runtime report it, and what the memory was when they did.</summary>
/// <param name="OnCard">Whether it is the card's memory; else it is the host's.</param>
/// <param name="Wanted">Bytes asked for; null where nobody says.</param>
/// <param name="Card">The memory of the card, of several the fullest; null when the process does not compute on one.</param>
/// <param name="Host">The process's memory.</param>
public sealed partial record MemoryShortage(bool OnCard, long? Wanted, CudaMemory? Card, ProcessMemory Host)
{
    /// <summary>What a message says that was thrown because the card was full, though its sender does not know.</summary>
    internal const string CardIsFull = "The card is out of memory.";

    private static readonly string[] OfCards =
        ["CUDA out of memory", "CUDA error: out of memory", "CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", CardIsFull];

    private static readonly string[] OfHosts = ["DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory", "std::bad_alloc"];

    /// <summary>Reads an exception, or what it was caused by. Best called in an exception filter, while memory still is what it was.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <returns>The shortage; null when it tells of something else.</returns>
    public static MemoryShortage? Of(Exception exception)
    {
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            bool onCard = OfCards.Any(text => e.Message.Contains(text, StringComparison.Ordinal));
            if (onCard || e is OutOfMemoryException || OfHosts.Any(text => e.Message.Contains(text, StringComparison.Ordinal)))
            {
                return new MemoryShortage(onCard, WantedBy(e.Message), CudaMemory.OfFullest(), ProcessMemory.Now());
            }
        }

        return null;
    }

    /// <summary>The shortage in words: "out of memory on the card: 2.0 GiB more were asked for; of its 79.1 GiB, 78.6 GiB are in use, by this process or others".</summary>
    public override string ToString()
    {
        string asked = Wanted is { } wanted ? $": {Gibibytes(wanted)} more were asked for" : string.Empty;
        string held = OnCard
            ? Card is { } card ? $"of its {Gibibytes(card.Total)}, {Gibibytes(card.Used)} are in use, by this process or others" : string.Empty
            : $"this process holds {Gibibytes(Host.Resident)}";
        return $"out of memory on the {(OnCard ? "card" : "host")}{asked}{(held.Length == 0 ? string.Empty : asked.Length == 0 ? $": {held}" : $"; {held}")}";
    }

    // libtorch says "Tried to allocate 2.00 GiB" of a card's memory and "you tried to allocate 4096 bytes" of the host's.
    private static long? WantedBy(string message)
    {
        if (Amount().Match(message) is not { Success: true } match
            || !double.TryParse(match.Groups[1].ValueSpan, NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
        {
            return null;
        }

        return (long)(number * match.Groups[2].Value switch { "KiB" => 1L << 10, "MiB" => 1L << 20, "GiB" => 1L << 30, _ => 1 });
    }

    private static string Gibibytes(long bytes) => bytes < 1L << 30 ? $"{bytes / 1048576.0:N0} MiB" : $"{bytes / 1073741824.0:N1} GiB";

    [GeneratedRegex(@"[Tt]ried to allocate ([0-9.]+) (bytes|KiB|MiB|GiB)")]
    private static partial Regex Amount();
}
