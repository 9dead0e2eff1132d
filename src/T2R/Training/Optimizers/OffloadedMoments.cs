using T2R.Interop.Cuda;
using T2R.Ops.AdamW;
using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>
/// Moments of matrices in pinned host memory, which pass through the card in pieces. Three streams beside torch's copy pieces in, step them and copy them out: a piece
/// arrives while the one before it steps and the one before that leaves, and torch's work goes on meanwhile. The gradients of an update are therefore kept until the next
/// one, by when it will be done.
/// </summary>
internal sealed class OffloadedMoments : IDisposable
{
    private readonly Dictionary<string, Moments> _moments = [];
    private readonly PinnedMemory? _memory;
    private readonly CudaStream _torch, _in, _steps, _out;
    private readonly CudaEvent _ready, _moved, _left;
    private readonly List<StagingPlace> _places = [];
    private readonly PieceQueue<StagingPlace> _queue;
    private readonly List<Tensor> _gradients = [];

    /// <summary>Takes the memory and begins with moments of zero.</summary>
    /// <param name="name">Which AdamW.</param>
    /// <param name="weights">Matrices on one card; borrowed.</param>
    /// <exception cref="InsufficientMemoryException">The system does not give so much pinned memory.</exception>
    public OffloadedMoments(OptimizerName name, IReadOnlyList<TrainedWeight> weights)
    {
        long offset = 0;
        int card = weights[0].Tensor.device_index;
        (_torch, _in, _steps, _out) = (CudaStream.Torch(card), new CudaStream(card), new CudaStream(card), new CudaStream(card));
        (_ready, _moved, _left) = (new CudaEvent(card), new CudaEvent(card), new CudaEvent(card));
        try
        {
            _memory = new PinnedMemory(card, OptimizerMemory.Pinned(weights.Select(w => MomentLayout.Of(name, w.Tensor.dtype, [.. w.Tensor.shape]))));
            foreach (var weight in weights)
            {
                _moments.Add(weight.Name, new Moments(weight, name, Place));
            }

            var dtype = weights.Any(w => w.Tensor.dtype == ScalarType.BFloat16) ? ScalarType.BFloat16 : ScalarType.Float32;
            var staging = OptimizerMemory.StagingLayout(name, dtype, weights.Max(w => w.Tensor.numel()));
            for (int i = 0; i < OptimizerMemory.StagingPlaces; i++)
            {
                _places.Add(new StagingPlace(staging, weights[0].Tensor.device));
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        _queue = new PieceQueue<StagingPlace>(_places, (place, piece) => place.CopyIn(_in, piece));

        // Torch's work under way may still read where the places lie, and writes the masters.
        _torch.Record(_ready);
        _in.WaitFor(_ready);

        Tensor Place(ScalarType type, long[] shape)
        {
            var view = _memory!.View(offset, shape, type);
            offset += OptimizerMemory.Padded(view.numel() * view.element_size());
            return view;
        }
    }

    /// <summary>The moments of a weight; null when it is not among these.</summary>
    /// <param name="name">The weight's name.</param>
    public Moments? Of(string name) => _moments.GetValueOrDefault(name);

    /// <inheritdoc cref="IOptimizer.Expect" />
    public void Expect(IEnumerable<string> names) => _queue.Expect(names.Select(Of).OfType<Moments>());

    /// <inheritdoc cref="IOptimizer.Update" />
    public void Update(Gradients gradients, Func<Moments, AdamWStep> constantsOf)
    {
        ReleaseGradients();
        var dense = Take(gradients);
        _torch.Record(_ready);
        _steps.WaitFor(_ready);
        foreach (var (piece, place) in _queue.Pass(dense.Keys))
        {
            place.Step(_steps, piece, dense[piece.Moments], constantsOf(piece.Moments));
            place.CopyOut(_out, piece);
        }

        _steps.Record(_moved);
    }

    /// <inheritdoc cref="IOptimizer.EndStep" />
    public void EndStep()
    {
        ReleaseGradients();
        _queue.Forget();

        // A piece must not be fetched again before it has left.
        _out.Record(_left);
        _in.WaitFor(_left);
    }

    /// <summary>Waits until all moments are in host memory as the last update left them.</summary>
    public void Settle()
    {
        _in.Synchronize();
        _out.Synchronize();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Settle();
        ReleaseGradients();
        _places.ForEach(p => p.Dispose());
        foreach (var moments in _moments.Values)
        {
            moments.Dispose();
        }

        _memory?.Dispose();
        new[] { _in, _steps, _out }.ToList().ForEach(s => s.Dispose());
        new[] { _ready, _moved, _left }.ToList().ForEach(e => e.Dispose());
    }

    // The gradients of these weights that are there, held until their steps are done.
    private Dictionary<Moments, Tensor> Take(Gradients gradients)
    {
        var dense = new Dictionary<Moments, Tensor>();
        foreach (var moments in _moments.Values)
        {
            if (gradients[moments.Weight.Name] is { } gradient)
            {
                dense.Add(moments, gradient.contiguous().DetachFromDisposeScope());
            }
        }

        _gradients.AddRange(dense.Values);
        return dense;
    }

    // Torch's stream waits for the steps that read them: what its allocator then puts there comes after.
    private void ReleaseGradients()
    {
        _torch.WaitFor(_moved);
        _gradients.ForEach(g => g.Dispose());
        _gradients.Clear();
    }
}
