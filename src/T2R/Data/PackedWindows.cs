using static TorchSharp.torch;

namespace T2R.Data;

/// <summary>
/// A token stream cut into windows of equal length that do not overlap; what is left at the end is dropped. Each epoch uses every window once, in an order
/// that follows from the seed and the epoch alone. Not for several threads.
/// </summary>
public sealed class PackedWindows
{
    private readonly TokenStream _stream;
    private readonly ulong _seed;
    private readonly int _rank;
    private readonly int _worldSize;
    private readonly int[] _order;
    private int _orderedEpoch = -1;

    /// <summary>Cuts a stream.</summary>
    /// <param name="stream">The ids.</param>
    /// <param name="windowLength">T: ids in a window, at least 2; a window gives T − 1 predictions.</param>
    /// <param name="seed">Decides the order of the windows.</param>
    /// <param name="rank">The number of this process, from 0.</param>
    /// <param name="worldSize">How many processes share the windows.</param>
    /// <exception cref="UserErrorException">The stream is shorter than one window.</exception>
    public PackedWindows(TokenStream stream, int windowLength, ulong seed, int rank = 0, int worldSize = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(windowLength, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(worldSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, worldSize);
        if (stream.Count < windowLength)
        {
            throw new UserErrorException($"The corpus has {stream.Count} tokens, less than one window of {windowLength}; add text or shorten the window.");
        }

        (_stream, WindowLength, _seed, _rank, _worldSize) = (stream, windowLength, seed, rank, worldSize);
        _order = new int[stream.Count / windowLength];
    }

    /// <summary>T: how many ids a window has.</summary>
    public int WindowLength { get; }

    /// <summary>How many windows there are, of all ranks together.</summary>
    public int Count => _order.Length;

    /// <summary>
    /// The next batch of this rank. All ranks together take <paramref name="batchSize"/> × world size windows, of which this rank's are the rank-th run of
    /// <paramref name="batchSize"/>; the last batch of an epoch is filled up from the next.
    /// </summary>
    /// <param name="batchSize">B: windows for this rank.</param>
    /// <param name="cursor">Where to go on; moved on.</param>
    /// <param name="device">Where the tensors are wanted; the CPU if null.</param>
    /// <returns>The batch, <c>[B, T]</c>; the caller disposes it.</returns>
    /// <exception cref="UserErrorException">The cursor lies beyond the windows: it comes from other data.</exception>
    public Batch Next(int batchSize, ref DataCursor cursor, Device? device = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        if (cursor.Epoch < 0 || cursor.Position < 0 || cursor.Position >= Count)
        {
            throw new UserErrorException(
                $"The run stands at epoch {cursor.Epoch}, window {cursor.Position}, but the corpus gives {Count} windows of {WindowLength} tokens: it has changed since the run began.");
        }

        DataCursor first = Advance(cursor, (long)batchSize * _rank);
        cursor = Advance(cursor, (long)batchSize * _worldSize);
        var ids = new long[batchSize * WindowLength];
        for (int row = 0; row < batchSize; row++)
        {
            DataCursor at = Advance(first, row);
            Copy(Order(at.Epoch)[at.Position], ids.AsSpan(row * WindowLength, WindowLength));
        }

        return Batch.Of(ids, WindowLength, _stream.BeginId, device ?? CPU);
    }

    /// <summary>Windows from the beginning of the stream in their own order, all of them on every rank: for measuring.</summary>
    /// <param name="firstWindows">How many, or all if there are fewer.</param>
    /// <param name="batchSize">B: windows in a batch; the last may have fewer.</param>
    /// <param name="device">Where the tensors are wanted; the CPU if null.</param>
    /// <returns>Batches of <c>[B, T]</c>; the caller disposes each.</returns>
    public IEnumerable<Batch> Sequential(int firstWindows = int.MaxValue, int batchSize = 1, Device? device = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(firstWindows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        return Enumerate(Math.Min(firstWindows, Count), batchSize, device ?? CPU);
    }

    private IEnumerable<Batch> Enumerate(int windows, int batchSize, Device device)
    {
        for (int start = 0; start < windows; start += batchSize)
        {
            var ids = new long[Math.Min(batchSize, windows - start) * WindowLength];
            _stream.CopyTo((long)start * WindowLength, ids);
            yield return Batch.Of(ids, WindowLength, _stream.BeginId, device);
        }
    }

    private DataCursor Advance(DataCursor cursor, long windows)
    {
        long position = cursor.Position + windows;
        return new DataCursor(cursor.Epoch + (int)(position / Count), position % Count);
    }

    private void Copy(int window, Span<long> ids) => _stream.CopyTo((long)window * WindowLength, ids);

    // Fisher and Yates' shuffle, kept until the next epoch asks for its own.
    private int[] Order(int epoch)
    {
        if (epoch != _orderedEpoch)
        {
            var random = new SplitMix64(SplitMix64.Mix(_seed) ^ (ulong)epoch);
            for (int i = 0; i < _order.Length; i++)
            {
                _order[i] = i;
            }

            for (int i = _order.Length - 1; i > 0; i--)
            {
                int j = (int)random.Below(i + 1);
                (_order[i], _order[j]) = (_order[j], _order[i]);
            }

            _orderedEpoch = epoch;
        }

        return _order;
    }
}
