namespace T2R;

/// <summary>How far a long piece of work is. The library reports it through <see cref="IProgress{T}"/> and knows nothing of how it is shown.</summary>
/// <param name="Stage">What is going on, such as "convert" or "train"; another name begins another stage.</param>
/// <param name="Done">How much is done, counted from the stage's beginning, an interrupted earlier run included.</param>
/// <param name="Total">How much there is; 0 when unknown.</param>
/// <param name="Unit">What is counted, in the plural: "tokens", "tensors"; "bytes" are shown as MB and GB.</param>
public readonly record struct StageProgress(string Stage, long Done, long Total, string Unit);
