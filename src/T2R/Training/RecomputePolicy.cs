namespace T2R.Training;

/// <summary>What the backward pass, which runs block by block from the last, computes again instead of keeping it.</summary>
public enum RecomputePolicy
{
    /// <summary>Nothing: every block keeps its intermediate results until its backward. Fastest.</summary>
    None,

    /// <summary>Each block keeps its input alone and runs again before its backward. Least memory, a third more work.</summary>
    Full,
}
