using T2R.Interop;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Ops.Rows;

namespace T2R.Generation.Decoding;

/// <summary>One block of a recurrent model over the rows of a <see cref="CpuWorkspace"/>: what <see cref="Block"/> computes, with its weights where they lie.</summary>
internal sealed class CpuDecoderBlock
{
    private readonly GatedSlotAttentionConfig _mixer;
    private readonly CpuSizes _sizes;
    private readonly ThreadLocal<CpuRecurrence> _recurrence;
    private readonly CpuWorkspace _rows;
    private readonly float[][] _states;
    private readonly int _stateStart, _intermediate;
    private readonly double _epsilon;
    private readonly ReadOnlyMemory<float> _mixerNorm, _outputNorm, _mlpNorm;
    private readonly JoinedProduct _read, _output, _gateAndUp, _down;
    private readonly Action<int> _normMixer, _mix, _normOutput, _normMlp, _gate;

    /// <summary>A block.</summary>
    /// <param name="model">Owns the weights.</param>
    /// <param name="index">Which block.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="states">Each slot's states, padded as <see cref="CpuSizes"/> has it: layer after layer, head after head.</param>
    /// <param name="stateStart">Where this block's begin.</param>
    internal CpuDecoderBlock(CausalLM model, int index, CpuWorkspace rows, float[][] states, int stateStart)
    {
        _mixer = (GatedSlotAttentionConfig)model.Config.Mixers[index];
        _sizes = SizesOf(_mixer);
        (_rows, _recurrence, _states, _stateStart, _intermediate, _epsilon) = (rows, rows.Recurrence(_sizes), states, stateStart, model.Config.IntermediateSize, model.Config.NormEpsilon);
        (_mixerNorm, _outputNorm, _mlpNorm) = (Norm("mixer_norm"), Norm("mixer.g_norm"), Norm("mlp_norm"));
        _read = Product("mixer.q_proj", "mixer.k_proj", "mixer.v_proj", "mixer.f_proj");
        _output = Product("mixer.o_proj");
        _gateAndUp = Product("mlp.gate_proj", "mlp.up_proj");
        _down = Product("mlp.down_proj");
        (_normMixer, _mix, _normOutput, _normMlp, _gate) = (NormMixer, Mix, NormOutput, NormMlp, Gate);

        ReadOnlyMemory<float> Norm(string name) => TensorMemory.AsMemory<float>(model.Weights[WeightLayout.OfBlock(index, name)]);
        JoinedProduct Product(params string[] names) => new(rows.Loop, [.. names.Select(n => Matrix(WeightLayout.OfBlock(index, n)))]);
        WeightMatrix Matrix(string name) => model.Weights.Quantized(name) is { } quantized ? WeightMatrix.Of(quantized) : WeightMatrix.Of(model.Weights[name]);
    }

    /// <summary>The sizes of a layer's recurrence.</summary>
    internal static CpuSizes SizesOf(GatedSlotAttentionConfig mixer) =>
        new(Batch: 1, CpuSizes.BlockLength, mixer.KeyValueHeads, mixer.Heads / mixer.KeyValueHeads, mixer.HeadDim, mixer.Slots, mixer.HeadDim);

    /// <summary>Floats of a layer's states in one slot.</summary>
    internal static int StateLengthOf(GatedSlotAttentionConfig mixer) => mixer.KeyValueHeads * SizesOf(mixer).StateLength;

    /// <summary>Reads the rows' tokens: updates the residual stream and the slots' states.</summary>
    internal void Run()
    {
        var (loop, count) = (_rows.Loop, _rows.Count);
        loop.Run(count, Work(_rows.Stream.Width), _normMixer);
        _read.Run(_rows.Normed, 0, count, _rows.Products, 0);
        loop.Run(_rows.SequenceCount * _sizes.Heads, Work(_sizes.Heads * (2 + _sizes.Groups) * _sizes.StateLength / 8), _mix);
        loop.Run(count, Work(_rows.Mixed.Width), _normOutput);
        _output.Run(_rows.Mixed, 0, count, _rows.Stream, 0, adds: true);
        loop.Run(count, Work(_rows.Stream.Width), _normMlp);
        _gateAndUp.Run(_rows.Normed, 0, count, _rows.Wide, 0);
        loop.Run(count, Work(_intermediate), _gate);
        _down.Run(_rows.Wide, 0, count, _rows.Stream, 0, adds: true);

        // A map of a number takes as long as some eight weights.
        long Work(int numbers) => 8L * count * numbers;
    }

    /// <summary>Keys <c>[Hkv, K, M]</c> and values <c>[Hkv, M, V]</c> of a slot.</summary>
    /// <param name="slot">Which.</param>
    internal (float[] Keys, float[] Values) Save(int slot)
    {
        var z = _sizes;
        var (keys, values) = (new float[z.Heads * z.KeyDim * z.Slots], new float[z.Heads * z.Slots * z.ValueDim]);
        for (int head = 0; head < z.Heads; head++)
        {
            var state = State(slot, head);
            CpuState.Unpack(state, keys.AsSpan(head * z.KeyDim * z.Slots), z.KeyDim, z.Slots, z.PaddedSlots);
            CpuState.Unpack(state[(z.PaddedKey * z.PaddedSlots)..], values.AsSpan(head * z.Slots * z.ValueDim), z.Slots, z.ValueDim, z.PaddedValue);
        }

        return (keys, values);
    }

    /// <summary>The reverse of <see cref="Save"/>, into a slot whose states are zero.</summary>
    internal void Load(int slot, float[] keys, float[] values)
    {
        var z = _sizes;
        for (int head = 0; head < z.Heads; head++)
        {
            var state = State(slot, head);
            CpuState.Pack(keys.AsSpan(head * z.KeyDim * z.Slots), state, z.KeyDim, z.Slots, z.PaddedSlots);
            CpuState.Pack(values.AsSpan(head * z.Slots * z.ValueDim), state[(z.PaddedKey * z.PaddedSlots)..], z.Slots, z.ValueDim, z.PaddedValue);
        }
    }

    private Span<float> State(int slot, int head) => _states[slot].AsSpan(_stateStart + (head * _sizes.StateLength), _sizes.StateLength);

    private void NormMixer(int row)
    {
        RowMaps.RmsNorm(_rows.Stream.Row(row), _mixerNorm.Span, _epsilon, _rows.Normed.Row(row));
        _read.Prepare(_rows.Normed.Row(row));
    }

    private void NormMlp(int row)
    {
        RowMaps.RmsNorm(_rows.Stream.Row(row), _mlpNorm.Span, _epsilon, _rows.Normed.Row(row));
        _gateAndUp.Prepare(_rows.Normed.Row(row));
    }

    private void NormOutput(int row)
    {
        var mixed = _rows.Mixed.Row(row)[.._mixer.QuerySize];
        RowMaps.Silu(mixed, mixed);
        RowMaps.RmsNorm(mixed, _outputNorm.Span, GatedSlotAttentionConfig.OutputNormEpsilon, mixed);
        _output.Prepare(mixed);
    }

    private void Gate(int row)
    {
        var wide = _rows.Wide.Row(row);
        RowMaps.SiluTimes(wide[.._intermediate], wide[_intermediate..]);
        _down.Prepare(wide[.._intermediate]);
    }

    // One key-value head of one sequence.
    private void Mix(int item)
    {
        var (slot, first, count) = _rows.Sequences[item / _sizes.Heads];
        int head = item % _sizes.Heads;
        var recurrence = _recurrence.Value!;
        var state = State(slot, head);
        for (int start = 0; start < count; start += CpuSizes.BlockLength)
        {
            recurrence.Block.Count = Math.Min(CpuSizes.BlockLength, count - start);
            for (int t = 0; t < recurrence.Block.Count; t++)
            {
                Load(recurrence.Block, t, _rows.Products.Row(first + start + t), head);
            }

            recurrence.Run(state, state);
            for (int t = 0; t < recurrence.Block.Count; t++)
            {
                Store(recurrence.Output, t, _rows.Mixed.Row(first + start + t), head);
            }
        }
    }

    // The maps before the operator: silu of q, k and v, and the gates.
    private void Load(CpuBlock block, int token, ReadOnlySpan<float> products, int head)
    {
        var (z, width) = (_sizes, _mixer.HeadDim);
        for (int g = 0; g < z.Groups; g++)
        {
            RowMaps.Silu(products.Slice(((head * z.Groups) + g) * width, width), block.Queries.AsSpan(((token * z.Groups) + g) * z.PaddedKey));
        }

        var keys = products[_mixer.QuerySize..];
        var values = keys[_mixer.KeyValueSize..];
        var gates = values[_mixer.KeyValueSize..];
        RowMaps.Silu(keys.Slice(head * width, width), block.Keys.AsSpan(token * z.PaddedKey));
        RowMaps.Silu(values.Slice(head * width, width), block.Values.AsSpan(token * z.PaddedValue));
        RowMaps.Gates(
            gates.Slice(head * z.Slots, z.Slots), _mixer.GateLogitNormalizer, block.Decay.AsSpan(token * z.PaddedSlots), block.Write.AsSpan(token * z.PaddedSlots));
    }

    private void Store(float[] output, int token, Span<float> mixed, int head)
    {
        for (int g = 0; g < _sizes.Groups; g++)
        {
            output.AsSpan(((token * _sizes.Groups) + g) * _sizes.PaddedValue, _sizes.ValueDim).CopyTo(mixed[(((head * _sizes.Groups) + g) * _sizes.ValueDim)..]);
        }
    }
}
