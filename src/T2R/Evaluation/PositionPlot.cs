using ScottPlot;
using T2R.Checkpoints;

namespace T2R.Evaluation;

/// <summary>Draws a model's perplexity, from 0, over the number of tokens before the prediction, which is logarithmic.</summary>
public static class PositionPlot
{
    /// <summary>Draws.</summary>
    /// <param name="positions">At least one; each is a point at the last of its positions.</param>
    /// <param name="path">The PNG; overwritten.</param>
    /// <exception cref="UserErrorException">Its folder is missing, or it is a folder.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Write(IReadOnlyList<PositionLoss> positions, string path)
    {
        using var plot = new Plot();
        double[] tokens = [.. positions.Select(p => Math.Log10(p.Last))], perplexities = [.. positions.Select(p => p.Perplexity.Value)];
        var line = plot.Add.Scatter(tokens, perplexities);
        line.LineWidth = 2;
        line.MarkerSize = 7;
        plot.Axes.AutoScale();
        plot.Axes.SetLimitsY(0, 1.1 * perplexities.Max());
        var limits = plot.Axes.GetLimits();
        plot.Axes.Bottom.TickGenerator = LogTicks.Between(limits.Left, limits.Right, tokens => tokens);
        plot.Grid.MinorLineColor = Colors.Black.WithOpacity(0.05);
        plot.Grid.MinorLineWidth = 1;
        plot.Title("One long text");
        plot.XLabel("tokens before the prediction, at most");
        plot.YLabel("perplexity");
        AtomicFile.WriteAllBytes(path, plot.GetImageBytes(1000, 600, ImageFormat.Png));
    }
}
