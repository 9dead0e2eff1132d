using System.Collections.Immutable;
using T2R.Models;

namespace T2R.Training;

/// <summary>Everything that decides a training run beside the model and the text. Two runs with equal options and data give equal bytes.</summary>
public sealed record TrainingOptions
{
    /// <summary>T: ids in a window; each gives T − 1 predictions.</summary>
    public int WindowLength { get; init; } = 1024;

    /// <summary>B: windows that pass the model at once.</summary>
    public int MicroBatchSize { get; init; } = 8;

    /// <summary>Micro-batches whose gradients are averaged into one step.</summary>
    public int AccumulationSteps { get; init; } = 1;

    /// <summary>Optimizer steps of the whole run.</summary>
    public required int Steps { get; init; }

    /// <summary>Decides the order of the windows.</summary>
    public long Seed { get; init; }

    /// <summary>The optimizer.</summary>
    public AdamWOptions Optimizer { get; init; } = new();

    /// <summary>Largest global norm of the gradients; longer ones are scaled down to it. 0 leaves them alone.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Steps over which each stage's learning rate rises linearly from 0.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>What is left of the learning rate at the end of each stage's cosine, as a fraction of its peak.</summary>
    public double FloorRatio { get; init; } = 0.1;

    /// <summary>Exceptions for weights by name, in order; for a weight that several match, the last counts alone.</summary>
    public ImmutableArray<ParameterGroup> Groups { get; init; } = [];

    /// <summary>What is trained when, in order; empty means one stage over all steps that trains everything on next tokens.</summary>
    public ImmutableArray<TrainingStage> Stages { get; init; } = [];

    /// <summary>What the backward pass computes again to save memory.</summary>
    public RecomputePolicy Recompute { get; init; }

    /// <summary>Whether the inputs of the blocks wait for their backward in pinned host memory: for long windows. Same bits, slower.</summary>
    public bool OffloadInputs { get; init; }

    /// <summary>
    /// Whether blocks multiply with their weights in FP8 (Micikevicius et al., FP8 Formats for Deep Learning, 2022): faster, on cards of compute capability 8.9 and more.
    /// Embedding, head, norms, the mixers' own operators and the optimizer stay as they are, as do evaluations and teachers.
    /// </summary>
    public bool Fp8 { get; init; }

    /// <summary>
    /// Adapters to train instead of the projections they stand beside; then only they and what conversion added (f_proj, g_norm) are trained, as far as stages and groups
    /// let them. Null trains weights themselves.
    /// </summary>
    public LoraConfig? Lora { get; init; }

    /// <summary>How much the teacher's predictions count in stages over tokens; null when there is no teacher to follow.</summary>
    public DistillationOptions? Distillation { get; init; }

    /// <summary>Whether recurrent states and attention begin anew at each document of a window.</summary>
    public bool ResetAtDocuments { get; init; } = true;

    /// <summary>Steps between evaluations on held-out text; 0 evaluates at the beginning and the end alone.</summary>
    public int EvaluateEvery { get; init; }

    /// <summary>More evaluations, by ids read: each after the last step with which no more than so many are read, for curves over tokens.</summary>
    public ImmutableArray<long> EvaluateAt { get; init; } = [];

    /// <summary>Windows of held-out text that an evaluation reads, from its beginning.</summary>
    public int EvaluationWindows { get; init; } = 64;

    /// <summary>Steps between checkpoints; 0 writes one at the end, and one when the run is interrupted.</summary>
    public int CheckpointEvery { get; init; } = 100;

    /// <summary>How many checkpoints are kept; 0 writes none at all, not even at the end, so that a run that is stopped begins anew.</summary>
    public int KeepLast { get; init; } = 2;

    /// <summary>Steps between lines of the metrics.</summary>
    public int LogEvery { get; init; } = 10;

    /// <summary>Ids that one step reads.</summary>
    public long TokensPerStep => (long)WindowLength * MicroBatchSize * AccumulationSteps;

    /// <summary>Whether held-out text is evaluated after a step.</summary>
    /// <param name="step">Steps done.</param>
    public bool EvaluatesAfter(int step) =>
        step == Steps || (EvaluateEvery > 0 && step % EvaluateEvery == 0) || EvaluateAt.Any(ids => ids / TokensPerStep == step);

    /// <summary>Checks the options by themselves and against a model; names keys as a recipe does.</summary>
    /// <param name="model">The shape to be trained.</param>
    /// <param name="problems">Receives every problem.</param>
    public void Check(ModelConfig model, Problems problems) => TrainingOptionsCheck.Run(this, model, problems);
}
