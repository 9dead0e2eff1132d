using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace T2R.Recipes;

/// <summary>What a recipe's run measured: the table at its end and <c>report.json</c>.</summary>
/// <param name="Name">The recipe's name.</param>
/// <param name="Rows">The models measured, in the order they came to be.</param>
/// <param name="Windows">Held-out windows measured.</param>
/// <param name="WindowLength">Ids in each; a window gives one prediction less.</param>
/// <param name="TrainedTokens">Ids that training read.</param>
/// <param name="Seconds">Seconds of training, interruptions left out.</param>
/// <param name="PlannedBytes">What the memory plan said.</param>
/// <param name="PeakBytes">The most bytes of the card in use while training; 0 on a CPU.</param>
/// <param name="ExportFolder">Where the recurrent checkpoint lies; null when nothing was exported.</param>
public sealed record RunReport(
    string Name, ImmutableArray<ReportRow> Rows, int Windows, int WindowLength, long TrainedTokens, double Seconds, long PlannedBytes, long PeakBytes, string? ExportFolder)
{
    /// <summary>Its name in a run's folder.</summary>
    public const string FileName = "report.json";

    private static readonly JsonSerializerOptions Style = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>As JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Style) + "\n";
}
