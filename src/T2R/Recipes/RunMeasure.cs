using T2R.Data;
using T2R.Evaluation;
using T2R.Generation;
using T2R.Models;

namespace T2R.Recipes;

/// <summary>Measures a run's models on the same held-out windows and lets each continue the same prompts.</summary>
internal sealed class RunMeasure(RecipePlan plan, RunText text, RunWatch watch, CancellationToken cancellation)
{
    // Windows that pass a model at once when it reads token by token: the cost of a step is the number of calls, not of sequences.
    private const int RecurrentBatch = 64;

    private readonly PackedWindows _windows = new(text.HeldOut, plan.Recipe.Data.WindowLength, plan.Recipe.Data.Seed);

    /// <summary>Windows measured.</summary>
    public int Windows => Math.Min(plan.Recipe.Evaluation.Windows, _windows.Count);

    /// <summary>A model in the chunk form.</summary>
    public ReportRow Row(string name, CausalLM model, IReadOnlyList<ReportRow> before) => Row(name, model, before, Perplexity.Of(
        model, _windows.Sequential(Windows, plan.Recipe.Training.MicroBatchSize, model.Device), plan.Recipe.Training.ResetAtDocuments));

    /// <summary>A recurrent model token by token.</summary>
    public ReportRow RecurrentRow(string name, CausalLM model, IReadOnlyList<ReportRow> before) => Row(name, model, before, RecurrentPerplexity.Of(
        model, _windows, Windows, RecurrentBatch, plan.Recipe.Training.ResetAtDocuments, watch.Progress, cancellation));

    private ReportRow Row(string name, CausalLM model, IReadOnlyList<ReportRow> before, Perplexity measured)
    {
        cancellation.ThrowIfCancellationRequested();
        int element = DtypeName.Bytes(plan.Dtype);
        var row = new ReportRow(
            name,
            measured.Value,
            plan.Conversion is null ? null : measured.Value / (before.Count > 0 ? before[0].Perplexity : measured.Value),
            StateSize.Bytes(model.Config, 1000, element),
            StateSize.Bytes(model.Config, 16000, element),
            [.. plan.Recipe.Samples.Prompts.Select(p => new ReportSample(p, Continue(model, p)))]);
        watch.Measured?.Invoke(row, Windows);
        return row;
    }

    private string Continue(CausalLM model, string prompt)
    {
        using var session = new DecodingSession(model);
        var samples = plan.Recipe.Samples;
        var options = new GenerationOptions
        {
            MaxNewTokens = samples.MaxNewTokens,
            Sampling = new SamplingOptions { Temperature = samples.Temperature, Seed = (ulong)samples.Seed },
            VocabularySize = plan.Tokenizer.VocabularySize,
        };
        int[] ids = [.. plan.Tokenizer.EncodeToIds(prompt)];
        int[] generated = [.. TextGenerator.Generate(session, ids, options, cancellation)];
        return plan.Tokenizer.Decode([.. ids, .. generated])[plan.Tokenizer.Decode(ids).Length..];
    }
}
