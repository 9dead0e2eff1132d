using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.GatedSlot;
using static TorchSharp.torch;

namespace T2R.Evaluation;

/// <summary>Measures a model the way it serves: one token at a time, everything before it known through the state alone.</summary>
public static class RecurrentPerplexity
{
    private const string Stage = "measuring token by token";

    /// <summary>The perplexity of windows, the same predictions as <see cref="Perplexity.Of"/> makes of them in the chunk form.</summary>
    /// <param name="model">The model.</param>
    /// <param name="windows">The text.</param>
    /// <param name="count">How many windows from its beginning, or all if there are fewer.</param>
    /// <param name="batchSize">Windows that are read side by side.</param>
    /// <param name="resetAtDocuments">Whether states and attention begin anew at documents inside a window.</param>
    /// <param name="progress">Hears of the tokens read, of all windows together.</param>
    /// <param name="cancellation">Heeded between tokens.</param>
    public static Perplexity Of(
        CausalLM model,
        PackedWindows windows,
        int count,
        int batchSize,
        bool resetAtDocuments,
        IProgress<StageProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        double sum = 0;
        long done = 0, all = (long)Math.Min(count, windows.Count) * (windows.WindowLength - 1);
        foreach (var batch in windows.Sequential(count, batchSize, model.Device))
        {
            using (batch)
            {
                sum += SumOf(model, batch, resetAtDocuments, Read, cancellation);
            }
        }

        return new Perplexity(sum / done, done);

        void Read(long tokens)
        {
            done += tokens;
            progress?.Report(new StageProgress(Stage, done, all, "tokens"));
        }
    }

    private static double SumOf(CausalLM model, Batch batch, bool resetAtDocuments, Action<long> read, CancellationToken cancellation)
    {
        using var _ = inference_mode();
        using var outer = NewDisposeScope();
        using var state = model.CreateState(batch.Ids.shape[0]);
        var sum = zeros(1, ScalarType.Float64, batch.Ids.device);
        long length = batch.Ids.shape[1];
        for (long t = 0; t < length - 1; t++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var starts_BS = resetAtDocuments ? batch.DocumentStarts.narrow(1, 0, t + 1) : null;
            using var context = new SequenceContext(batch.Ids.shape[0], 1, batch.Ids.device, starts_BS, state.Length, GatedSlotForm.Recurrent);
            var logits_BV = model.Forward(batch.Ids.narrow(1, t, 1), context, state).squeeze(1);
            var next_B = batch.Ids.narrow(1, t + 1, 1).squeeze(1);
            sum.add_(nn.functional.cross_entropy(logits_BV, next_B, reduction: nn.Reduction.None).sum(ScalarType.Float64));
            read(batch.Ids.shape[0]);
        }

        return sum.item<double>();
    }
}
