using T2R.Interop;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.Rows;

namespace T2R.Generation.Decoding;

/// <summary>
/// A decoder of recurrent models on the CPU, on vectors of its own: weights where they lie and as they are stored, everything else in fp32. All tokens that are read
/// together pass a weight while it is in the cache, and a step allocates nothing. What a token gives shows neither which tokens were read with it nor how its text was cut,
/// to the bit.
/// </summary>
public sealed class CpuDecoder : IDecoder
{
    private readonly CpuWorkspace _rows;
    private readonly CpuDecoderBlock[] _blocks;
    private readonly WeightMatrix _embedding;
    private readonly JoinedProduct _head;
    private readonly ReadOnlyMemory<float> _norm;
    private readonly RowBuffer _logits;
    private readonly float[][] _states;
    private readonly long[] _lengths;
    private readonly LogitsRows _logitsRows;

    /// <summary>A decoder of empty slots.</summary>
    /// <param name="model">The model; borrowed, and its weights must stay as they are.</param>
    /// <param name="slots">How many sequences it holds.</param>
    /// <exception cref="ArgumentException">The model is not one that it <see cref="Takes"/>.</exception>
    public CpuDecoder(CausalLM model, int slots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        if (!Takes(model))
        {
            throw new ArgumentException("the model is not recurrent in every layer, or not on the CPU in fp32 or bf16, or has adapters", nameof(model));
        }

        Config = model.Config;
        GatedSlotAttentionConfig[] mixers = [.. Config.Mixers.Cast<GatedSlotAttentionConfig>()];
        _states = [.. Enumerable.Range(0, slots).Select(_ => new float[mixers.Sum(CpuDecoderBlock.StateLengthOf)])];
        _lengths = new long[slots];
        _logitsRows = new LogitsRows(slots);
        _logits = new RowBuffer(slots, Config.VocabularySize);
        _rows = new CpuWorkspace(Config);
        _blocks = new CpuDecoderBlock[mixers.Length];
        int start = 0;
        for (int i = 0; i < mixers.Length; i++)
        {
            _blocks[i] = new CpuDecoderBlock(model, i, _rows, _states, start);
            start += CpuDecoderBlock.StateLengthOf(mixers[i]);
        }

        _embedding = WeightMatrix.Of(model.Weights[WeightLayout.Embedding]);
        _norm = TensorMemory.AsMemory<float>(model.Weights[WeightLayout.Norm]);
        _head = new JoinedProduct(_rows.Loop, WeightMatrix.Of(model.HeadWeight));
    }

    /// <inheritdoc />
    public ModelConfig Config { get; }

    /// <inheritdoc />
    public int Slots => _states.Length;

    /// <inheritdoc />
    public int PrefillLength => CpuWorkspace.Rows;

    /// <summary>Whether it can read a model: recurrent in every layer, matrices fp32, bf16 or in few bits and norms fp32 on the CPU, no adapters.</summary>
    /// <param name="model">Any.</param>
    public static bool Takes(CausalLM model) =>
        model.Config.IsRecurrent && model.Config.Lora is null
        && model.Weights.All.All(w => WeightMatrix.Takes(w.Tensor) && (!w.Spec.IsNorm || w.Tensor.dtype == TorchSharp.torch.ScalarType.Float32));

    /// <inheritdoc />
    public long Length(int slot) => _lengths[slot];

    /// <inheritdoc />
    public long StateBytes(int slot) => _states[slot].Length * (long)sizeof(float);

    /// <inheritdoc />
    public void Clear(int slot)
    {
        DecoderInput.CheckSlot(this, slot);
        _states[slot].AsSpan().Clear();
        _lengths[slot] = 0;
        _logitsRows.Forget(slot);
    }

    /// <inheritdoc />
    public void Prefill(int slot, ReadOnlySpan<int> ids)
    {
        DecoderInput.CheckPrefill(this, slot, ids);
        _logitsRows.ForgetAll();
        _rows.Clear();
        Read(slot, ids);
        RunBlocks();
        ToLogits(_rows.Count - 1, 1, 0);
        _logitsRows[slot] = 0;
    }

    /// <inheritdoc />
    public void Step(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids)
    {
        DecoderInput.CheckStep(this, slots, ids);
        _logitsRows.ForgetAll();
        for (int first = 0; first < slots.Length; first += CpuWorkspace.Rows)
        {
            _rows.Clear();
            for (int i = first; i < Math.Min(slots.Length, first + CpuWorkspace.Rows); i++)
            {
                Read(slots[i], ids.Slice(i, 1));
                _logitsRows[slots[i]] = i;
            }

            RunBlocks();
            ToLogits(0, _rows.Count, first);
        }
    }

    /// <inheritdoc />
    public ReadOnlySpan<float> Logits(int slot) => _logits.Row(_logitsRows[slot]);

    /// <inheritdoc />
    public SlotState Save(int slot)
    {
        DecoderInput.CheckSlot(this, slot);
        var (keys, values) = (new float[_blocks.Length][], new float[_blocks.Length][]);
        for (int i = 0; i < _blocks.Length; i++)
        {
            (keys[i], values[i]) = _blocks[i].Save(slot);
        }

        return new SlotState(_lengths[slot], keys, values);
    }

    /// <inheritdoc />
    public void Load(int slot, SlotState state)
    {
        DecoderInput.CheckLoad(this, slot, state);
        Clear(slot);
        for (int i = 0; i < _blocks.Length; i++)
        {
            _blocks[i].Load(slot, state.Keys[i], state.Values[i]);
        }

        _lengths[slot] = state.Length;
    }

    /// <inheritdoc />
    public void Dispose() => _rows.Dispose();

    private void Read(int slot, ReadOnlySpan<int> ids)
    {
        int row = _rows.Add(slot, ids.Length);
        foreach (int id in ids)
        {
            _embedding.Read(id, _rows.Stream.Row(row++));
        }

        _lengths[slot] += ids.Length;
    }

    private void RunBlocks()
    {
        foreach (var block in _blocks)
        {
            block.Run();
        }
    }

    private void ToLogits(int firstRow, int count, int firstLogits)
    {
        for (int row = firstRow; row < firstRow + count; row++)
        {
            RowMaps.RmsNorm(_rows.Stream.Row(row), _norm.Span, Config.NormEpsilon, _rows.Normed.Row(row));
        }

        _head.Run(_rows.Normed, firstRow, count, _logits, firstLogits);
    }
}
