using System.Runtime.Intrinsics;

namespace T2R.Ops.Rows;

/// <summary>Weights that lie together in a row, and what their format needs to turn them into numbers.</summary>
internal readonly ref struct WeightGroup
{
    internal WeightGroup(ref byte first, Vector512<float> scale = default)
    {
        First = ref first;
        Scale = scale;
    }

    /// <summary>Where they begin.</summary>
    internal readonly ref byte First;

    /// <summary>A scale, or a table of numbers, that they share.</summary>
    internal readonly Vector512<float> Scale;
}
