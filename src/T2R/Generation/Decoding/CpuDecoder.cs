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

    // The row of a slot's logits; −1 where the latest reading made none.
    private readonly int[] _logitsRows;

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
        _logitsRows = new int[slots];
        Array.Fill(_logitsRows, -1);
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
        _states[slot].AsSpan().Clear();
        (_lengths[slot], _logitsRows[slot]) = (0, -1);
    }

    /// <inheritdoc />
    public void Prefill(int slot, ReadOnlySpan<int> ids)
    {
        if (ids.IsEmpty || ids.Length > PrefillLength)
        {
            throw new ArgumentException($"there are {ids.Length} ids to read at once; expected 1 to {PrefillLength}", nameof(ids));
        }

        Check([slot], ids);
        Array.Fill(_logitsRows, -1);
        _rows.Clear();
        Read(slot, ids);
        RunBlocks();
        ToLogits(_rows.Count - 1, 1, 0);
        _logitsRows[slot] = 0;
    }

    /// <inheritdoc />
    public void Step(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids)
    {
        if (slots.Length != ids.Length)
        {
            throw new ArgumentException($"there are {ids.Length} ids for {slots.Length} slots", nameof(ids));
        }

        Check(slots, ids);
        Array.Fill(_logitsRows, -1);
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
    public ReadOnlySpan<float> Logits(int slot) => _logitsRows[slot] is >= 0 and var row
        ? _logits.Row(row)
        : throw new ArgumentException($"slot {slot} was not among those that read last", nameof(slot));

    /// <inheritdoc />
    public void Choose(ReadOnlySpan<int> slots, ReadOnlySpan<Sampler> samplers, Span<int> ids)
    {
        for (int i = 0; i < slots.Length; i++)
        {
            ids[i] = samplers[i].Next(Logits(slots[i]));
        }
    }

    /// <inheritdoc />
    public SlotState Save(int slot)
    {
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
        ArgumentNullException.ThrowIfNull(state);
        bool fits = state.Keys.Count == _blocks.Length && state.Values.Count == _blocks.Length;
        for (int i = 0; fits && i < _blocks.Length; i++)
        {
            fits = _blocks[i].Fits(state.Keys[i], state.Values[i]);
        }

        if (!fits)
        {
            throw new ArgumentException("the state is of a model of another shape", nameof(state));
        }

        Clear(slot);
        for (int i = 0; i < _blocks.Length; i++)
        {
            _blocks[i].Load(slot, state.Keys[i], state.Values[i]);
        }

        _lengths[slot] = state.Length;
    }

    /// <inheritdoc />
    public void Dispose() => _rows.Dispose();

    private void Check(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids)
    {
        for (int i = 0; i < slots.Length; i++)
        {
            if ((uint)slots[i] >= (uint)Slots || slots[..i].Contains(slots[i]))
            {
                throw new ArgumentException($"slot {slots[i]} is named twice or is not one of {Slots}", nameof(slots));
            }
        }

        foreach (int id in ids)
        {
            if ((uint)id >= (uint)Config.VocabularySize)
            {
                throw new ArgumentException($"there is no id {id}; the model has {Config.VocabularySize}", nameof(ids));
            }
        }
    }

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
