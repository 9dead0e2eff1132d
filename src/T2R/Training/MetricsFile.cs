using System.Text.Json;
using System.Text.Json.Nodes;
using T2R.Checkpoints;

namespace T2R.Training;

/// <summary>
/// <c>metrics.jsonl</c>: a JSON object a line, <see cref="StepMetrics"/> or <see cref="EvaluationMetrics"/> by its keys. A line is written at once and whole; what a
/// killed run wrote after its checkpoint is cut off when it resumes, so that no step stands there twice.
/// </summary>
internal sealed class MetricsFile : ITrainingObserver, IDisposable
{
    private readonly StreamWriter _writer;

    /// <summary>Opens the file to go on after a step.</summary>
    /// <param name="path">The file; made if there is none.</param>
    /// <param name="step">Lines of later steps are dropped; all lines when it is 0, where a run begins.</param>
    public MetricsFile(string path, int step)
    {
        if (File.Exists(path))
        {
            string[] kept = [.. Lines(path).Where(l => l.Node["step"]?.GetValue<int>() is { } at && step > 0 && at <= step).Select(l => l.Text + "\n")];
            AtomicFile.WriteAllText(path, string.Concat(kept));
        }

        _writer = new StreamWriter(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read)) { AutoFlush = true };
    }

    /// <summary>The lines that are whole.</summary>
    public static IEnumerable<(string Text, JsonNode Node)> Lines(string path)
    {
        foreach (string line in File.ReadLines(path))
        {
            JsonNode? node = null;
            try
            {
                node = JsonNode.Parse(line);
            }
            catch (JsonException)
            {
                // The end of a line that a killed process did not finish.
            }

            if (node is JsonObject)
            {
                yield return (line, node);
            }
        }
    }

    /// <inheritdoc />
    public void Stepped(StepMetrics metrics) => Write(metrics);

    /// <inheritdoc />
    public void Evaluated(EvaluationMetrics metrics) => Write(metrics);

    /// <inheritdoc />
    public void Warned(string sentence)
    {
        // Warnings are for people, not for curves.
    }

    /// <inheritdoc />
    public void Dispose() => _writer.Dispose();

    private void Write<T>(T metrics) => _writer.Write(JsonSerializer.Serialize(metrics, TrainingJson.Line) + "\n");
}
