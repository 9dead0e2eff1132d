namespace T2R.Ops.Rows;

/// <summary>Where four rows of a matrix go on, as places in it, row-major.</summary>
/// <param name="A">The first row's.</param>
/// <param name="B">The second's.</param>
/// <param name="C">The third's.</param>
/// <param name="D">The fourth's.</param>
internal readonly record struct FourRows(nint A, nint B, nint C, nint D)
{
    /// <summary>Some columns further on.</summary>
    public static FourRows operator +(FourRows rows, nint columns) => new(rows.A + columns, rows.B + columns, rows.C + columns, rows.D + columns);
}
