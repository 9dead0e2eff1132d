using System.Runtime.Intrinsics;

namespace T2R.Ops.Rows;

/// <summary>How the weights of a matrix are stored, and read as fp32: exactly, so that it does not show in a sum where they were read.</summary>
internal interface IWeightFormat
{
    /// <summary>Weights of a group: four vectors.</summary>
    const int GroupLength = 64;

    /// <summary>A group of weights, in four vectors: in order, unless the format says otherwise.</summary>
    /// <param name="index">The place of its first weight in the matrix, row-major.</param>
    (Vector512<float> A, Vector512<float> B, Vector512<float> C, Vector512<float> D) Group(nint index);

    /// <summary>One weight.</summary>
    /// <param name="index">Its place in the matrix, row-major.</param>
    float At(nint index);
}
