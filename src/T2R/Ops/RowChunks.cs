namespace T2R.Ops;

/// <summary>Rows taken some at a time, in as few chunks as may be, all alike: a short one at the end would cost as many launches, and as many roundings of sums, as a whole one.</summary>
internal static class RowChunks
{
    /// <summary>The chunks, in order.</summary>
    /// <param name="rows">How many rows there are.</param>
    /// <param name="width">Elements of a row.</param>
    /// <param name="mostElements">Elements that a chunk may have; it has one row at least.</param>
    /// <param name="multiple">What the rows of a chunk are a multiple of, as all rows are; a chunk may have so many rows too many.</param>
    public static IEnumerable<(long Start, long Count)> Of(long rows, long width, long mostElements, long multiple = 1)
    {
        long most = Math.Max(1, mostElements / width), chunks = Math.Max(1, Parts(rows, most)), count = Parts(Parts(rows, chunks), multiple) * multiple;
        for (long start = 0; start < rows; start += count)
        {
            yield return (start, Math.Min(count, rows - start));
        }
    }

    private static long Parts(long rows, long size) => (rows + size - 1) / size;
}
