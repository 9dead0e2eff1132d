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
    private readonly CardMemory? _card;
    private readonly int _recorded;
    private readonly BlockMemory[] _blocks;
    private readonly int _lowest;
    private readonly long _weights, _moments, _teacherWeights, _teacherStream;
    private readonly PlannedGradients _gradients;

    public StageMemory(
        ModelConfig config, TrainingOptions options, TrainingStage stage, ScalarType dtype, ModelConfig? teacher, CardMemory? card, int recorded)
    {
        (_config, _options, _dtype, _card, _recorded) = (config, options, dtype, card, recorded);
        var specs = WeightLayout.Of(config);
        List<WeightSpec> trained = [.. specs.Where(s => WeightChoice.IsTrained(options, stage, s.Name))];
        var workspace = BlockMemory.WorkspaceOf(options);
        _blocks = [.. Enumerable.Range(0, config.Layers).Select(i => new BlockMemory(config, i, options.MicroBatchSize, options.WindowLength, dtype, workspace, card is not null, options.Fp8))];
        _gradients = new PlannedGradients(config, options, trained, dtype, card is not null);
        int first = Enumerable.Range(0, config.Layers).FirstOrDefault(i => trained.Exists(s => WeightLayout.IsOfBlock(i, s.Name)), config.Layers);
        _lowest = trained.Exists(s => s.Name == WeightLayout.Embedding) ? 0 : first;
        (_weights, _moments) = (PlannedGradients.Bytes(specs, dtype), OptimizerMemory.OnDevice(options.Optimizer, trained, dtype, card is not null));
        _teacherWeights = teacher is null ? 0 : PlannedGradients.Bytes(WeightLayout.Of(teacher), dtype);
        _teacherStream = teacher is null || !IsDistilled ? 0 : Tokens * teacher.HiddenSize * DtypeName.Bytes(dtype);
    }

    /// <summary>The moments that may hold most.</summary>
    public IEnumerable<MemoryPlan> Moments()
    {
        // Beside the residual stream and its gradient, the norm of the rows taken at once and the norm's gradient.
        long normed = 2 * LossRows * _config.HiddenSize * DtypeName.Bytes(_dtype);
        yield return Moment("in the loss", Kept(_config.Layers), _gradients.InLoss, (2 * Stream) + normed + _teacherStream, Logits);
        for (int i = _config.Layers - 1; i >= _lowest; i--)
        {
            yield return Moment($"in the backward of block {i}'s MLP", Kept(i), _gradients.InMlp(i), _blocks[i].MlpBackward(Policy(i)), 0);
            yield return Moment($"in the backward of block {i}'s mixer", Kept(i), _gradients.InMixer(i), _blocks[i].MixerBackward, 0);
        }

        yield return Moment("in the embedding's backward", default, _gradients.InEmbedding, Stream, 0);
        yield return Moment("in the optimizer's step", default, _gradients.InStep, 0, 0);
    }

    private MemoryPlan Moment(string name, (long Inputs, long Activations) kept, long gradients, long workspace, long logits)
    {
        var parts = new List<MemoryPart>
        {
            new("weights", _weights),
            new("gradients", gradients),
            new("moments", _moments),
            new("block inputs", kept.Inputs),
            new("kept activations", kept.Activations),
            new("workspace", workspace),
            new("logits", logits),
            new("teacher", _teacherWeights),
            new("context, kernels, others", _card?.Taken ?? 0),
        };
        return new MemoryPlan(name, [.. parts.Where(p => p.Bytes > 0)], _recorded);
    }

    private long Tokens => (long)_options.WindowLength * _options.MicroBatchSize;

    private long Stream => _blocks[0].Stream;

    private bool IsDistilled => _options.Distillation is { Weight: > 0 };

    // With the kernel a bf16 number for each of the logits taken at once, and one for a teacher's. Tensors take two fp32 numbers: they and log p; a teacher adds log q, q, and
    // log p at the temperature.
    private long Logits => LossRows * _config.VocabularySize * (LossKernel ? (_teacherStream > 0 ? 4 : 2) : _teacherStream > 0 ? 20 : 8);

    // Rows of logits taken at once.
    private long LossRows
    {
        get
        {
            long chunk = _card is null ? NextTokenLoss.CpuLogits : LossKernel ? NextTokenLoss.KernelLogits : NextTokenLoss.DeviceLogits;
            return Math.Min(Tokens, Math.Max(1, chunk / _config.VocabularySize));
        }
    }

    private bool LossKernel => _card is not null && _dtype == ScalarType.BFloat16;

    private RecomputePolicy Policy(int block) =>
        _options.Recompute == RecomputePolicy.Selective && block < _config.Layers - _recorded ? RecomputePolicy.Full : _options.Recompute;

    // What waits when the backward stands at a block: the inputs up to its own, and what the blocks before it keep.
    private (long Inputs, long Activations) Kept(int block)
    {
        int waiting = Math.Min(block + 1, _config.Layers) - _lowest;

        // The one in use and the one that comes.
        long inputs = _options.OffloadInputs && _card is not null && _options.Recompute != RecomputePolicy.None ? Math.Min(2, waiting) : waiting;
        return (Math.Max(0, inputs) * Stream, Enumerable.Range(_lowest, Math.Max(0, block - _lowest)).Sum(i => _blocks[i].Waiting(Policy(i))));
    }
}
