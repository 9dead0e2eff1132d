namespace T2R.Training;

/// <summary>What the backward pass, which runs block by block from the last, computes again instead of keeping it.</summary>
public enum RecomputePolicy
{
    /// <summary>Nothing: every block keeps its intermediate results until its backward. Fastest.</summary>
    None,

    /// <summary>As many blocks as the card holds keep what their matrix products gave and compute the rest again; the others are recomputed in full.</summary>
    Selective,

    /// <summary>Each block keeps its input alone and runs again before its backward. Least memory, a third more work.</summary>
    Full,
}
