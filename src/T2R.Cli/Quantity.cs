namespace T2R.Cli;

/// <summary>Amounts as people read them.</summary>
internal static class Quantity
{
    private static readonly string[] ByteUnits = ["bytes", "kB", "MB", "GB", "TB"];

    /// <summary>Bytes in powers of 1000, three digits: "14.5 GB".</summary>
    public static string Bytes(double bytes)
    {
        int unit = 0;
        while (bytes >= 999.5 && unit < ByteUnits.Length - 1)
        {
            bytes /= 1000;
            unit++;
        }

        return $"{ThreeDigits(bytes)} {ByteUnits[unit]}";
    }

    /// <summary>"12,000 tokens"; bytes as <see cref="Bytes"/>.</summary>
    public static string Of(double amount, string unit) => unit == "bytes" ? Bytes(amount) : $"{(amount < 100 ? ThreeDigits(amount) : amount.ToString("N0"))} {unit}";

    /// <summary>"16 windows", "1 window": what a perplexity is told with, as it differs much from window to window.</summary>
    public static string Windows(long count) => count == 1 ? "1 window" : $"{count:N0} windows";

    /// <summary>"0.4 s", "12 s", "3:05", "1:02:03".</summary>
    public static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 10 } => $"{time.TotalSeconds:0.0} s",
        { TotalSeconds: < 60 } => $"{time.TotalSeconds:0} s",
        { TotalHours: < 1 } => $"{time:m\\:ss}",
        _ => $"{(long)time.TotalHours}:{time:mm\\:ss}",
    };

    private static string ThreeDigits(double value) => value.ToString(value == Math.Floor(value) || value >= 99.5 ? "0" : value >= 9.95 ? "0.0" : "0.00");
}
