using System.Text.Json.Nodes;
using ScottPlot;

namespace T2R.Training;

/// <summary>
/// <c>loss.png</c>: cross-entropy over tokens, on the text trained on (smoothed, a curve a stage) and on held-out text; stages that imitate mixers have their error on
/// an axis of its own.
/// </summary>
internal static class LossPlot
{
    // A curve is smoothed over this part of its length.
    private const double SmoothedPart = 0.04;

    /// <summary>Draws a run's metrics.</summary>
    /// <param name="metricsPath">Its <c>metrics.jsonl</c>.</param>
    /// <param name="path">The picture.</param>
    public static void Write(string metricsPath, string path)
    {
        var lines = MetricsFile.Lines(metricsPath).Select(l => l.Node).ToList();
        using var plot = new Plot();
        foreach (var stage in lines.Where(n => n["loss"] is not null).GroupBy(n => n["stage"]!.GetValue<string>()))
        {
            bool ofTokens = CrossEntropy(stage.First()) is not null;
            var curve = plot.Add.ScatterLine([.. stage.Select(Tokens)], Smoothed([.. stage.Select(n => CrossEntropy(n) ?? n["loss"]!.GetValue<double>())]));
            curve.LegendText = ofTokens ? $"{stage.Key}: cross-entropy" : $"{stage.Key}: error of the mixers";
            curve.LineWidth = 2;
            if (!ofTokens)
            {
                curve.Axes.YAxis = plot.Axes.Right;
                plot.Axes.Right.Label.Text = "error of the mixers (relative)";
            }
        }

        var evaluations = lines.Where(n => n["evaluation_loss"] is not null).ToList();
        if (evaluations.Count > 0)
        {
            var points = plot.Add.Scatter(evaluations.ConvertAll(Tokens), evaluations.ConvertAll(n => n["evaluation_loss"]!.GetValue<double>()), Colors.Black);
            points.LegendText = "held-out text: cross-entropy";
            points.MarkerSize = 7;
            points.LinePattern = LinePattern.Dotted;
        }

        plot.Title("Loss");
        plot.XLabel("tokens (millions)");
        plot.YLabel("cross-entropy (nats per prediction)");
        plot.ShowLegend(Alignment.UpperRight);
        plot.Axes.AutoScale();

        // With two vertical axes, scaling sees the horizontal extent of one alone.
        double last = lines.Select(Tokens).DefaultIfEmpty(1).Max();
        plot.Axes.SetLimitsX(-0.02 * last, 1.02 * last);
        plot.SavePng(path, 1000, 600);
    }

    private static double Tokens(JsonNode line) => line["tokens"]!.GetValue<long>() / 1e6;

    private static double? CrossEntropy(JsonNode line) => line["parts"]?["cross_entropy"]?.GetValue<double>();

    // An exponential mean, divided by the weight it has gathered so that the first points are not drawn to zero.
    private static double[] Smoothed(double[] values)
    {
        double kept = 1 - (1 / Math.Max(1, SmoothedPart * values.Length)), mean = 0, weight = 0;
        return [.. values.Select(v =>
        {
            mean = (kept * mean) + ((1 - kept) * v);
            weight = (kept * weight) + (1 - kept);
            return mean / weight;
        })];
    }
}
