using System.Collections.Immutable;

namespace T2R.Training;

/// <summary>A run's perplexity on held-out text, over the ids it has read.</summary>
/// <param name="Label">What it is called in a picture.</param>
/// <param name="Points">In the order of the ids, no number of ids twice.</param>
public sealed record EvaluationCurve(string Label, ImmutableArray<(long Tokens, double Perplexity)> Points)
{
    private const string Extension = ".jsonl";

    /// <summary>Reads the curve of a run.</summary>
    /// <param name="run">
    /// A run's folder, or a file of such lines as its <c>metrics.jsonl</c> has, of which <c>tokens</c> and <c>perplexity</c> are read; with <c>LABEL=</c> before it, what
    /// it is called, else its own name.
    /// </param>
    /// <exception cref="UserErrorException">It is neither, or holds no evaluation.</exception>
    public static EvaluationCurve Read(string run)
    {
        var (label, path) = Split(run);
        if (!Path.Exists(path))
        {
            throw new UserErrorException($"{path}: no such run; expected a run's folder, such as runs/quickstart, or a {Extension} file of metrics.");
        }

        string metrics = Directory.Exists(path) ? RunFolder.MetricsOf(path) : path;
        if (!File.Exists(metrics))
        {
            throw new UserErrorException($"{path}: no {Path.GetFileName(metrics)} in it; expected the folder of a run that has begun to train.");
        }

        var points = new SortedDictionary<long, double>();
        foreach (var (_, node) in MetricsFile.Lines(metrics))
        {
            if (node["perplexity"] is { } perplexity && node["tokens"] is { } tokens)
            {
                points[tokens.GetValue<long>()] = perplexity.GetValue<double>();
            }
        }

        return points.Count > 0
            ? new EvaluationCurve(label ?? Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(path)), [.. points.Select(p => (p.Key, p.Value))])
            : throw new UserErrorException($"{metrics}: no evaluation in it; the recipe needs held-out text, and training.evaluate_every or training.evaluate_at.");
    }

    // A path that has the sign in it is a path.
    private static (string? Label, string Path) Split(string run) =>
        !Path.Exists(run) && run.IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? (run[..at], run[(at + 1)..]) : (null, run);
}
