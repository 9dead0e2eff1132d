using T2R.Models;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training.Memory;

/// <summary>What a stage holds at each of its moments.</summary>
internal sealed class StageMemory
{
    private readonly ModelConfig _config;
    private readonly TrainingOptions _options;
    private readonly ScalarType _dtype;
    private readonly ModelConfig? _teacher;
    private readonly CardMemory? _card;
    private readonly int _recorded;
    private readonly List<WeightSpec> _trained;
    private readonly BlockMemory[] _blocks;
    private readonly int _lowest;

    public StageMemory(
        ModelConfig config, TrainingOptions options, TrainingStage stage, ScalarType dtype, ModelConfig? teacher, CardMemory? card, int recorded)
    {
        (_config, _options, _dtype, _teacher, _card, _recorded) = (config, options, dtype, teacher, card, recorded);
        _trained = [.. WeightLayout.Of(config).Where(s => WeightChoice.IsTrained(options, stage, s.Name))];
        _blocks = [.. Enumerable.Range(0, config.Layers).Select(i => new BlockMemory(config, i, options.MicroBatchSize, options.WindowLength, dtype, BlockMemory.SlotsAtOnce(options)))];
        int first = Enumerable.Range(0, config.Layers).FirstOrDefault(i => _trained.Any(s => WeightLayout.IsOfBlock(i, s.Name)), config.Layers);
        _lowest = IsTrained(WeightLayout.Embedding) ? 0 : first;
    }

    /// <summary>The moments that may hold most.</summary>
    public IEnumerable<MemoryPlan> Moments()
    {
        int last = _config.Layers - 1;
        yield return Moment("in the loss", Kept(last), Late, 0, Logits);
        if (_lowest <= last)
        {
            yield return Moment("in the last block's backward", Kept(last), Late, Workspace(last), 0);
            yield return Moment("in the first block's backward", Kept(_lowest), Whole, Workspace(_lowest), 0);
        }

        yield return Moment("in the optimizer's step", default, Whole, 0, 0);
    }

    private MemoryPlan Moment(string name, (long Inputs, long Activations) kept, long gradients, long workspace, long logits)
    {
        var parts = new List<MemoryPart>
        {
            new("weights", Bytes(WeightLayout.Of(_config))),
            new("gradients", gradients),
            new("moments", OptimizerMemory.OnDevice(_options.Optimizer, _trained, _dtype, _card is not null)),
            new("block inputs", kept.Inputs),
            new("kept activations", kept.Activations),
            new("workspace", workspace),
            new("logits", logits),
            new("teacher", _teacher is null ? 0 : Bytes(WeightLayout.Of(_teacher))),
            new("context, kernels, others", _card?.Taken ?? 0),
        };
        return new MemoryPlan(name, [.. parts.Where(p => p.Bytes > 0)], _recorded);
    }

    private long Stream => _blocks[0].Stream;

    // Gradients before the backward of the blocks: those of micro-batches that came before, or the head's.
    private long Late => _options.AccumulationSteps > 1 ? Wide : _options.Optimizer.InBackward ? Stepping : HeadGradient;

    // Gradients when all are there.
    private long Whole => _options.Optimizer.InBackward ? Stepping : _options.AccumulationSteps > 1 ? Wide + LargestPiece : Bytes(_trained);

    private long Wide => 4 * _trained.Sum(s => s.Count);

    private long HeadGradient => IsTrained(_config.TieWordEmbeddings ? WeightLayout.Embedding : WeightLayout.Head) ? Bytes([Head]) : 0;

    private WeightSpec Head => WeightLayout.Of(_config).First(s => s.Name == (_config.TieWordEmbeddings ? WeightLayout.Embedding : WeightLayout.Head));

    // Gradients of weights that step in the backward. Offloaded, an update goes on beside the next block's backward.
    private long Stepping => _options.Optimizer.Offload && _card is not null ? 2 * LargestPiece : LargestPiece;

    // The most that steps, or is added, at once: an MLP's matrices, or the head.
    private long LargestPiece => Math.Max(
        HeadGradient,
        Enumerable.Range(0, _config.Layers).Max(i => Bytes(_trained.Where(s => WeightLayout.IsOfBlock(i, s.Name) && s.Name.Contains(".mlp", StringComparison.Ordinal)))));

    private long Logits
    {
        get
        {
            long tokens = (long)_options.WindowLength * _options.MicroBatchSize;
            long chunk = _card is null ? NextTokenLoss.CpuLogits : NextTokenLoss.DeviceLogits;
            long rows = Math.Min(tokens, Math.Max(1, chunk / _config.VocabularySize));
            return (2 * Stream) + (rows * _config.VocabularySize * (8 + DtypeName.Bytes(_dtype)) * (_teacher is null ? 1 : 2)) + HeadGradient;
        }
    }

    // What waits for the backward when it stands at a block.
    private (long Inputs, long Activations) Kept(int block)
    {
        int waiting = block - _lowest + 1;
        if (_options.Recompute == RecomputePolicy.None)
        {
            return (Stream, Enumerable.Range(_lowest, waiting).Sum(i => _blocks[i].Graph));
        }

        // The one in use and the one that comes.
        long inputs = _options.OffloadInputs && _card is not null ? Math.Min(2, waiting) : waiting;
        return (inputs * Stream, Enumerable.Range(_lowest, waiting).Where(i => i >= _config.Layers - _recorded).Sum(i => _blocks[i].Recorded));
    }

    private long Workspace(int block) => _options.Recompute == RecomputePolicy.None ? _blocks[block].Backward : _blocks[block].Replay;

    private bool IsTrained(string name) => _trained.Any(s => s.Name == name);

    private long Bytes(IEnumerable<WeightSpec> specs) => specs.Sum(s => s.Count * (s.IsNorm ? Math.Max(4, DtypeName.Bytes(_dtype)) : DtypeName.Bytes(_dtype)));
}
