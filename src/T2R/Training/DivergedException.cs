namespace T2R.Training;

/// <summary>
/// Training produced a loss or gradient that is not a finite number, or a model whose held-out perplexity is none. The weights were not updated with such a step, and no checkpoint holds it.
/// </summary>
public sealed class DivergedException : Exception
{
    internal DivergedException(int step, string stage, string what, string? checkpoint)
        : base($"Training stopped at step {step} (stage '{stage}'): {what}; "
            + (checkpoint is null ? "there is no checkpoint yet. " : $"the newest checkpoint is {checkpoint}. ")
            + "Try a lower learning rate, a longer warm-up, a smaller clip_norm or fewer trained weights, in a new run folder; if it is the first step, look for NaN in the source weights.")
    {
        Step = step;
        Stage = stage;
        Checkpoint = checkpoint;
    }

    /// <summary>The step that failed, from 1.</summary>
    public int Step { get; }

    /// <summary>Its stage.</summary>
    public string Stage { get; }

    /// <summary>The last good checkpoint's folder, or null.</summary>
    public string? Checkpoint { get; }
}
