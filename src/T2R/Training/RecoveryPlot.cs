using ScottPlot;
using T2R.Checkpoints;
using T2R.Evaluation;

namespace T2R.Training;

/// <summary>Draws several runs' perplexities over the ids they read, both axes logarithmic. What was measured before the first step stands at the left edge.</summary>
public static class RecoveryPlot
{
    /// <summary>Draws.</summary>
    /// <param name="curves">At least one.</param>
    /// <param name="path">The PNG; overwritten.</param>
    /// <exception cref="UserErrorException">Its folder is missing, or it is a folder.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Write(IReadOnlyList<EvaluationCurve> curves, string path)
    {
        double zero = curves.SelectMany(c => c.Points).Select(p => p.Tokens).Where(t => t > 0).DefaultIfEmpty(1).Min() / 2.0;
        using var plot = new Plot();
        foreach (var curve in curves)
        {
            double[] tokens = [.. curve.Points.Select(p => Math.Log10(Math.Max(zero, p.Tokens)))];
            var line = plot.Add.Scatter(tokens, [.. curve.Points.Select(p => Math.Log10(p.Perplexity))]);
            line.LegendText = curve.Label;
            line.LineWidth = 2;
            line.MarkerSize = 7;
        }

        plot.Axes.AutoScale();
        var limits = plot.Axes.GetLimits();
        var bottom = LogTicks.Between(limits.Left, limits.Right, tokens => tokens / 1e6, after: Math.Log10(zero) + 0.1);
        bottom.AddMajor(Math.Log10(zero), "0");
        plot.Axes.Bottom.TickGenerator = bottom;
        plot.Axes.Left.TickGenerator = LogTicks.Between(limits.Bottom, limits.Top, perplexity => perplexity);
        plot.Grid.MinorLineColor = Colors.Black.WithOpacity(0.05);
        plot.Grid.MinorLineWidth = 1;
        plot.Title("Recovery");
        plot.XLabel("tokens (millions)");
        plot.YLabel("perplexity on held-out text");
        plot.ShowLegend(Alignment.UpperRight);
        AtomicFile.WriteAllBytes(path, plot.GetImageBytes(1000, 600, ImageFormat.Png));
    }
}
