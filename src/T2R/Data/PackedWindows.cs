using static TorchSharp.torch;

namespace T2R.Data;

/// <summary>
/// Token streams cut into windows of equal length that do not overlap; what is left at a stream's end is dropped. The order follows from the seed alone: each epoch uses every
/// window of a single stream once; of several, each gives its weight's share of an epoch's windows (<see cref="WindowOrder"/>). Not for several threads.
/// </summary>
public sealed class PackedWindows
{
    private readonly TokenStream[] _streams;
    private readonly int[] _windows;
    private readonly WindowOrder _order;
    private readonly int _rank;
    private readonly int _worldSize;

    /// <summary>Cuts streams.</summary>
    /// <param name="text">The ids.</param>
    /// <param name="windowLength">T: ids in a window, at least 2; a window gives T − 1 predictions.</param>
    /// <param name="seed">Decides the order of the windows.</param>
    /// <param name="rank">The number of this process, from 0.</param>
    /// <param name="worldSize">How many processes share the windows.</param>
    /// <exception cref="UserErrorException">A stream is shorter than one window, there are too many windows, or a weight is too small to get one.</exception>
    public PackedWindows(TokenMixture text, int windowLength, ulong seed, int rank = 0, int worldSize = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(windowLength, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(worldSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, worldSize);
        if (text.Sources.FirstOrDefault(s => s.Stream.Count < windowLength) is { Stream: { } brief })
        {
            throw new UserErrorException($"{brief.Name} has {brief.Count} tokens, less than one window of {windowLength}; add text or shorten the window.");
        }

        if (text.Count / windowLength > Array.MaxLength)
        {
            throw new UserErrorException($"The corpus has {text.Count} tokens, more than {Array.MaxLength} windows of {windowLength}, which are shuffled in memory; lengthen the window.");
        }

        (WindowLength, _rank, _worldSize) = (windowLength, rank, worldSize);
        _streams = [.. text.Sources.Select(s => s.Stream)];
        _windows = [.. _streams.Select(s => (int)(s.Count / windowLength))];
        _order = new WindowOrder(_windows, [.. text.Sources.Select(s => s.Weight)], seed);
        if (_order.PlacesOf.Index().Where(p => p.Item == 0).Select(p => text.Sources[p.Index]).FirstOrDefault() is { Stream: { } without } source)
        {
            throw new UserErrorException($"{without.Name} has the weight {source.Weight} of {text.Sources.Sum(s => s.Weight)} and gets none of the {Count} windows of an epoch; raise it, or leave the source out.");
        }
    }

    /// <summary>T: how many ids a window has.</summary>
    public int WindowLength { get; }

    /// <summary>How many windows an epoch has, of all ranks together.</summary>
    public int Count => _order.Count;

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
            (int source, int window) = _order.At(at);
            Copy(source, window, ids.AsSpan(row * WindowLength, WindowLength));
        }

        return Batch.Of(ids, WindowLength, _streams[0].BeginId, device ?? CPU);
    }

    /// <summary>Windows from the beginning of the first stream in their own order, all of them on every rank: for measuring.</summary>
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
            for (int row = 0; row * WindowLength < ids.Length; row++)
            {
                (int source, int window) = (0, start + row);
                while (window >= _windows[source])
                {
                    window -= _windows[source++];
                }

                Copy(source, window, ids.AsSpan(row * WindowLength, WindowLength));
            }

            yield return Batch.Of(ids, WindowLength, _streams[0].BeginId, device);
        }
    }

    private DataCursor Advance(DataCursor cursor, long windows)
    {
        long position = cursor.Position + windows;
        return new DataCursor(cursor.Epoch + (int)(position / Count), position % Count);
    }

    private void Copy(int source, int window, Span<long> ids) => _streams[source].CopyTo((long)window * WindowLength, ids);
}
