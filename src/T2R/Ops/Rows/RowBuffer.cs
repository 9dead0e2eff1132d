namespace T2R.Ops.Rows;

/// <summary>Rows of fp32, one a token; each begins at a multiple of 64 bytes.</summary>
internal sealed class RowBuffer
{
    private readonly AlignedFloats _floats;

    /// <summary>Rows of zeros.</summary>
    /// <param name="rows">How many; rounded up to a multiple of four, as products take them.</param>
    /// <param name="width">Floats of each.</param>
    internal RowBuffer(int rows, int width)
    {
        Width = width;

        // A line more than the width: rows a power of two apart would share the same few places of the first-level cache.
        Stride = ((width + AlignedFloats.Line - 1) / AlignedFloats.Line * AlignedFloats.Line) + AlignedFloats.Line;
        _floats = new AlignedFloats((rows + 3) / 4 * 4 * Stride);
    }

    /// <summary>Floats of a row.</summary>
    internal int Width { get; }

    /// <summary>Floats from one row's first to the next one's.</summary>
    internal int Stride { get; }

    /// <summary>A row.</summary>
    /// <param name="index">Which.</param>
    internal Span<float> Row(int index) => _floats.Span.Slice(index * Stride, Width);

    /// <summary>The rows from one on, with what lies between them.</summary>
    /// <param name="index">The first.</param>
    internal Span<float> From(int index) => _floats.Span[(index * Stride)..];
}
