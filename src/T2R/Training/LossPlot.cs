using System.Text.Json.Nodes;
using ScottPlot;

namespace T2R.Training;

/// <summary><c>loss.png</c>: what was minimised, smoothed, stage by stage, and the loss on held-out text, over tokens.</summary>
internal static class LossPlot
{
    private const double Smoothing = 0.9;

    /// <summary>Draws a run's metrics.</summary>
    /// <param name="metricsPath">Its <c>metrics.jsonl</c>.</param>
    /// <param name="path">The picture.</param>
    public static void Write(string metricsPath, string path)
    {
        var lines = MetricsFile.Lines(metricsPath).Select(l => l.Node).ToList();
        using var plot = new Plot();
        foreach (var stage in lines.Where(n => n["loss"] is not null).GroupBy(n => n["stage"]!.GetValue<string>()))
        {
            var curve = plot.Add.ScatterLine([.. stage.Select(Tokens)], Smoothed([.. stage.Select(n => n["loss"]!.GetValue<double>())]));
            curve.LegendText = $"{stage.Key} (smoothed)";
            curve.LineWidth = 2;
        }

        var evaluations = lines.Where(n => n["evaluation_loss"] is not null).ToList();
        if (evaluations.Count > 0)
        {
            var points = plot.Add.Scatter(evaluations.ConvertAll(Tokens), evaluations.ConvertAll(n => n["evaluation_loss"]!.GetValue<double>()), Colors.Black);
            points.LegendText = "held-out text";
            points.MarkerSize = 7;
            points.LinePattern = LinePattern.Dotted;
        }

        plot.Title("Training loss");
        plot.XLabel("tokens (millions)");
        plot.YLabel("loss (nats per prediction)");
        plot.ShowLegend(Alignment.UpperRight);
        plot.SavePng(path, 1000, 600);
    }

    private static double Tokens(JsonNode line) => line["tokens"]!.GetValue<long>() / 1e6;

    // An exponential mean, divided by the weight it has gathered so that the first points are not drawn to zero.
    private static double[] Smoothed(double[] values)
    {
        double mean = 0, weight = 0;
        return [.. values.Select(v =>
        {
            mean = (Smoothing * mean) + ((1 - Smoothing) * v);
            weight = (Smoothing * weight) + (1 - Smoothing);
            return mean / weight;
        })];
    }
}
