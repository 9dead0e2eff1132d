namespace T2R.Training;

/// <summary>What a stage minimises.</summary>
public enum StageObjective
{
    /// <summary>Cross-entropy of the next token, mixed with the distance to the teacher's predictions when there is a distillation.</summary>
    Tokens,

    /// <summary>
    /// Each new mixer by itself imitates the teacher's mixer in its place, on the teacher's own activations: the mean square of the difference over the mean
    /// square of the teacher's output. Only weights inside new mixers are trained.
    /// </summary>
    Mixers,
}
