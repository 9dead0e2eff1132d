using System.Runtime.InteropServices;

namespace T2R.Ops.Rows;

/// <summary>Floats that begin at a multiple of 64 bytes, as the longest vectors like it: one that crosses from one cache line into the next costs two reads.</summary>
internal sealed class AlignedFloats
{
    /// <summary>Floats of a cache line, and of the longest vector.</summary>
    internal const int Line = 16;

    private readonly float[] _array;
    private readonly int _first;

    /// <summary>Zeros.</summary>
    /// <param name="length">How many.</param>
    internal AlignedFloats(int length)
    {
        Length = length;
        _array = GC.AllocateArray<float>(length + Line, pinned: true);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(_array, 0) / sizeof(float);
        _first = (int)((Line - (address % Line)) % Line);
    }

    internal int Length { get; }

    internal Span<float> Span => _array.AsSpan(_first, Length);
}
