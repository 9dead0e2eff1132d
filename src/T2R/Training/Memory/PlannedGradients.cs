using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Training.Memory;

/// <summary>Bytes of gradients at each moment of a step: all that came so far, in fp32 where they are sums over micro-batches, or, of weights that step in the backward, the last.</summary>
internal sealed class PlannedGradients
{
    private readonly bool _stepsInBackward, _outliveUpdate, _isTied;
    private readonly long _sums;
    private readonly long _head, _embedding, _embeddingSum;
    private readonly long[] _mlps, _mixers, _from;

    /// <summary>Counts.</summary>
    /// <param name="config">The model.</param>
    /// <param name="options">The training.</param>
    /// <param name="trained">The weights that are trained.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="onCard">Whether they are on a card.</param>
    public PlannedGradients(ModelConfig config, TrainingOptions options, IReadOnlyList<WeightSpec> trained, ScalarType dtype, bool onCard)
    {
        _stepsInBackward = options.Optimizer.InBackward;
        _outliveUpdate = _stepsInBackward && options.Optimizer.Offload && onCard;
        _isTied = config.TieWordEmbeddings;
        _sums = options.AccumulationSteps > 1 ? 4 * trained.Sum(s => s.Count) : 0;
        _embedding = Of(WeightLayout.Embedding);
        _embeddingSum = 4 * trained.Where(s => s.Name == WeightLayout.Embedding).Sum(s => s.Count);
        _head = _isTied ? _embedding : Of(WeightLayout.Head);
        var blocks = Enumerable.Range(0, config.Layers).Select(i => trained.Where(s => WeightLayout.IsOfBlock(i, s.Name)).ToLookup(s => s.Name.Contains(".mlp", StringComparison.Ordinal))).ToList();
        (_mlps, _mixers) = ([.. blocks.Select(b => Bytes(b[true], dtype))], [.. blocks.Select(b => Bytes(b[false], dtype))]);
        _from = new long[config.Layers + 1];
        for (int i = config.Layers - 1; i >= 0; i--)
        {
            _from[i] = _from[i + 1] + _mlps[i] + _mixers[i];
        }

        long Of(string name) => Bytes(trained.Where(s => s.Name == name), dtype);
    }

    /// <summary>In the loss: the head's.</summary>
    public long InLoss => _sums + _head;

    /// <summary>In the embedding's backward. A tied head's comes to it, and their sum is fp32.</summary>
    public long InEmbedding => _sums > 0 ? _sums + _embedding
        : Came(0) + (_outliveUpdate ? _mixers[0] : 0) + _embedding + (_isTied ? _embeddingSum : 0);

    /// <summary>In the optimizer's step, when all have come.</summary>
    public long InStep => _sums > 0 ? _sums
        : _stepsInBackward ? (_isTied ? _embeddingSum : _embedding)
        : _from[0] + (_isTied ? _embeddingSum : _embedding + _head);

    /// <summary>Bytes of weights, or of their gradients.</summary>
    /// <param name="specs">The weights.</param>
    /// <param name="dtype">Of the matrices; norms are fp32 at least.</param>
    public static long Bytes(IEnumerable<WeightSpec> specs, ScalarType dtype) => specs.Sum(s => s.Count * (s.IsNorm ? Math.Max(4, DtypeName.Bytes(dtype)) : DtypeName.Bytes(dtype)));

    /// <summary>In the backward of a block's MLP. Offloaded, an update goes on beside it, and its gradients with it.</summary>
    /// <param name="block">Which block.</param>
    public long InMlp(int block)
    {
        long updated = block + 1 < _mixers.Length ? _mixers[block + 1] : _isTied ? 0 : _head;
        return Came(block + 1) + _mlps[block] + (_outliveUpdate ? updated : 0);
    }

    /// <summary>In the backward of a block's mixer.</summary>
    /// <param name="block">Which block.</param>
    public long InMixer(int block) => Came(block + 1) + _mixers[block] + (_outliveUpdate || (!_stepsInBackward && _sums == 0) ? _mlps[block] : 0);

    // What is there before those of the blocks below one come. Where weights step in the backward, a tied head's waits for the embedding's.
    private long Came(int block) => _sums > 0 ? _sums : _stepsInBackward ? (_isTied ? _head : 0) : _head + _from[block];
}
