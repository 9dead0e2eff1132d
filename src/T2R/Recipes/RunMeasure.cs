using T2R.Data;
using T2R.Evaluation;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
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
            [.. Samples(model)]);
        watch.Measured?.Invoke(row, Windows);
        return row;
    }

    private List<ReportSample> Samples(CausalLM model)
    {
        var samples = plan.Recipe.Samples;
        var boundaries = plan.Boundaries;
        using var engine = new Engine(Decoders.Open(model, slots: 1), plan.Tokenizer, options: new EngineOptions { EndIds = boundaries.Ends });
        return [.. samples.Prompts.Select(p => new ReportSample(p, string.Concat(Continue(p).Select(t => t.Text))))];

        IEnumerable<GenerationToken> Continue(string prompt) => engine.Submit(new GenerationRequest
        {
            Prompt = boundaries.EncodePrompt(plan.Tokenizer, prompt),
            Sampling = new SamplingOptions { Temperature = samples.Temperature, Seed = (ulong)samples.Seed },
            MaxNewTokens = samples.MaxNewTokens,
        }).Tokens.ToBlockingEnumerable(cancellation);
    }
}
