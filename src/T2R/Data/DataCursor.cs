namespace T2R.Data;

/// <summary>
/// Where training stands in the data: all that is needed to go on with exactly the batches that would have followed. It is the same on every rank.
/// </summary>
/// <param name="Epoch">How many times all windows have been used, from 0.</param>
/// <param name="Position">How many windows of this epoch all ranks together have used.</param>
public readonly record struct DataCursor(int Epoch, long Position);
