using T2R.Data;

namespace T2R.Training;

/// <summary>Where a run stands, beside its weights and moments: a checkpoint's <c>state.json</c>.</summary>
internal sealed record TrainingState
{
    /// <summary>Of the file; another number is another layout.</summary>
    public int Format { get; init; } = 1;

    /// <summary>Steps done.</summary>
    public required int Step { get; init; }

    /// <summary>The stage of the last step.</summary>
    public required string Stage { get; init; }

    /// <summary>Which stage that is, from 0.</summary>
    public required int StageIndex { get; init; }

    /// <summary>Ids read.</summary>
    public required long Tokens { get; init; }

    /// <summary>The next windows.</summary>
    public required DataCursor Cursor { get; init; }

    /// <summary>Steps of the stage's optimizer.</summary>
    public required long OptimizerSteps { get; init; }

    /// <summary>Of the last step, all gradients together, before clipping; 0 before the first.</summary>
    public double GradientNorm { get; init; }

    /// <summary>Time spent.</summary>
    public required double ElapsedSeconds { get; init; }

    /// <summary>The last evaluation.</summary>
    public EvaluationMetrics? Evaluation { get; init; }

    /// <summary>The text trained on.</summary>
    public required CorpusMark Corpus { get; init; }

    /// <summary>The options.</summary>
    public required TrainingOptions Options { get; init; }
}
