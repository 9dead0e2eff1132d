using System.Runtime.ExceptionServices;

namespace T2R.Interop.Cuda;

/// <summary>
/// Moves gigabytes between host and card. Several threads work, each with a stream and two pinned buffers of its own: while one buffer is on its way, the thread
/// fills or empties the other. What torch has begun is waited for first, and when a call returns every byte is where it belongs.
/// </summary>
internal static unsafe class BulkCopy
{
    /// <summary>Pieces begin at multiples of this many bytes of their part.</summary>
    internal const int PieceBytes = 16 << 20;

    private const int MostThreads = 8;

    /// <summary>Fills memory of a card with what is read or computed on the spot.</summary>
    /// <param name="device">The card's index.</param>
    /// <param name="parts">Address and size of each contiguous part.</param>
    /// <param name="fill">Given a part's number and a piece's first byte in it, fills the piece; called from several threads, in any order.</param>
    /// <exception cref="Exception">The first thing that a call of <paramref name="fill"/> threw; the memory is then filled in part.</exception>
    public static void ToDevice(int device, IReadOnlyList<(nint Device, long ByteCount)> parts, Action<int, long, Span<byte>> fill) =>
        Run(device, [.. parts.Select(p => p.ByteCount)], (lane, pieces) =>
        {
            for (int turn = 0; pieces.TryTake(out var piece); turn ^= 1)
            {
                lane.Wait(turn);
                fill(piece.Part, piece.Offset, new Span<byte>((void*)lane.Address(turn), piece.Count));
                lane.Stream.CopyToDevice(parts[piece.Part].Device + (nint)piece.Offset, lane.Address(turn), piece.Count);
                lane.Mark(turn);
            }
        });

    /// <summary>Copies memory of a card to the host.</summary>
    /// <param name="device">The card's index.</param>
    /// <param name="parts">Address on the card, address on the host and size of each contiguous part.</param>
    public static void ToHost(int device, IReadOnlyList<(nint Device, nint Host, long ByteCount)> parts) =>
        Run(device, [.. parts.Select(p => p.ByteCount)], (lane, pieces) =>
        {
            var underWay = new Piece?[2];
            for (int turn = 0, idle = 0; idle < 2; turn ^= 1)
            {
                if (underWay[turn] is { } done)
                {
                    lane.Wait(turn);
                    Buffer.MemoryCopy((void*)lane.Address(turn), (byte*)parts[done.Part].Host + done.Offset, done.Count, done.Count);
                    underWay[turn] = null;
                }

                if (pieces.TryTake(out var piece))
                {
                    lane.Stream.CopyToHost(lane.Address(turn), parts[piece.Part].Device + (nint)piece.Offset, piece.Count);
                    lane.Mark(turn);
                    underWay[turn] = piece;
                }
                else
                {
                    idle++;
                }
            }
        });

    private static void Run(int device, long[] sizes, Action<Lane, Pieces> work)
    {
        var pieces = new Pieces(sizes);
        if (pieces.Count == 0)
        {
            return;
        }

        CudaStream.Torch(device).Synchronize();
        int threads = Math.Min(Math.Min(MostThreads, Environment.ProcessorCount), pieces.Count);
        var lanes = new Task[threads];
        for (int i = 0; i < threads; i++)
        {
            lanes[i] = Task.Factory.StartNew(() => Work(device, pieces, work), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        // Each has caught what it threw.
        Task.WaitAll(lanes);
        pieces.Fault?.Throw();
    }

    private static void Work(int device, Pieces pieces, Action<Lane, Pieces> work)
    {
        try
        {
            using var lane = new Lane(device);
            work(lane, pieces);
        }
        catch (Exception e)
        {
            pieces.Stop(ExceptionDispatchInfo.Capture(e));
        }
    }

    private readonly record struct Piece(int Part, long Offset, int Count);

    // The pieces in order, each given out once.
    private sealed class Pieces
    {
        private readonly List<Piece> _all = [];
        private ExceptionDispatchInfo? _fault;
        private int _next = -1;

        internal Pieces(long[] sizes)
        {
            for (int part = 0; part < sizes.Length; part++)
            {
                for (long offset = 0; offset < sizes[part]; offset += PieceBytes)
                {
                    _all.Add(new Piece(part, offset, (int)Math.Min(PieceBytes, sizes[part] - offset)));
                }
            }
        }

        internal int Count => _all.Count;

        internal ExceptionDispatchInfo? Fault => _fault;

        internal bool TryTake(out Piece piece)
        {
            int next = Volatile.Read(ref _fault) is null ? Interlocked.Increment(ref _next) : _all.Count;
            bool any = next < _all.Count;
            piece = any ? _all[next] : default;
            return any;
        }

        internal void Stop(ExceptionDispatchInfo fault) => Interlocked.CompareExchange(ref _fault, fault, null);
    }

    // A thread's stream and buffers.
    private sealed class Lane(int device) : IDisposable
    {
        private readonly PinnedMemory _buffers = new(device, 2 * PieceBytes);
        private readonly CudaEvent[] _marks = [new(device), new(device)];

        internal CudaStream Stream { get; } = new(device);

        internal nint Address(int turn) => _buffers.Address + (turn * PieceBytes);

        // Until the copy from or to the buffer, if there was one, is done.
        internal void Wait(int turn) => _marks[turn].Synchronize();

        internal void Mark(int turn) => Stream.Record(_marks[turn]);

        public void Dispose()
        {
            Stream.Synchronize();
            Stream.Dispose();
            Array.ForEach(_marks, m => m.Dispose());
            _buffers.Dispose();
        }
    }
}
