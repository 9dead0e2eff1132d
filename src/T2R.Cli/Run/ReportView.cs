using T2R.Recipes;
using T2R.Training.Memory;

namespace T2R.Cli.Run;

/// <summary>Shows what a run measured: a table, a sample of each model, and last where the export lies.</summary>
internal static class ReportView
{
    /// <summary>Plan and measurement side by side; nothing on a CPU.</summary>
    public static void Memory(long planned, long peak)
    {
        if (peak > 0)
        {
            Screen.Print($"Memory of the card: {MemoryPart.Text(planned)} planned, {MemoryPart.Text(peak)} at most in use.");
        }
    }

    public static void Show(RunReport report, bool asJson)
    {
        if (asJson)
        {
            Screen.PrintJson(report);
            return;
        }

        var table = new ScreenTable("model", "#perplexity", "#× teacher", "#state at 1 000 tokens", "#state at 16 000 tokens");
        foreach (var row in report.Rows)
        {
            table.Row(
                row.Model,
                $"{row.Perplexity:F2}",
                row.RatioToTeacher is { } ratio ? $"{ratio:F3}" : "",
                Quantity.Bytes(row.StateBytesAt1000),
                Quantity.Bytes(row.StateBytesAt16000));
        }

        foreach (var prompted in report.Rows.SelectMany(r => r.Samples.Select(s => (r.Model, s.Prompt, s.Text))).GroupBy(s => s.Prompt))
        {
            Screen.Print($"{prompted.Key} …");
            foreach (var (model, _, text) in prompted)
            {
                Screen.Print($"  [{model}]");
                Screen.Print(string.Join('\n', text.Trim('\n').Split('\n').Select(line => "    " + line)));
            }

            Screen.Print(string.Empty);
        }

        Screen.Print(table);
        Screen.Print($"Perplexity over {report.Windows:N0} held-out windows of {report.WindowLength:N0} tokens; {report.TrainedTokens:N0} tokens of training in {Quantity.Duration(TimeSpan.FromSeconds(report.Seconds))}.");
        Memory(report.PlannedBytes, report.PeakBytes);
        Screen.Print($"The exported model lies in {report.ExportFolder}");
    }
}
