using System.Runtime.Intrinsics;

namespace T2R.Ops.Rows;

/// <summary>How the weights of a matrix are stored, and read as fp32: exactly, so that it does not show in a sum where they were read.</summary>
internal interface IWeightFormat
{
    /// <summary>Weights of a group; a multiple of 16.</summary>
    static abstract int GroupLength { get; }

    /// <summary>A group of weights.</summary>
    /// <param name="index">The place of its first weight in the matrix, row-major.</param>
    WeightGroup Group(nint index);

    /// <summary>Sixteen weights.</summary>
    /// <param name="group">Of which group.</param>
    /// <param name="offset">The first of them, counted from the group's first.</param>
    static abstract Vector512<float> Load(WeightGroup group, nuint offset);

    /// <summary>One weight.</summary>
    /// <param name="index">Its place in the matrix, row-major.</param>
    float At(nint index);
}
