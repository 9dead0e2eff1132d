using T2R.Interop;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.GatedSlot;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Generation.Decoding;

/// <summary>Any model on any device, by tensor operators, one sequence after another: what other decoders are compared with, and what runs where they do not.</summary>
public sealed class TensorDecoder : IDecoder
{
    // Below this many parameters one CPU thread reads the weights about as fast as several.
    private const long SmallModel = 50_000_000;

    private readonly CausalLM _model;
    private readonly bool _isSmall;
    private readonly ModelState[] _states;
    private readonly float[][] _logits;
    private readonly LogitsRows _rows; // of _logits: a slot's own, while they are its latest

    /// <summary>Empty slots.</summary>
    /// <param name="model">The model; borrowed.</param>
    /// <param name="slots">How many.</param>
    public TensorDecoder(CausalLM model, int slots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        _model = model;
        _isSmall = model.Device.type == DeviceType.CPU && model.Weights.ParameterCount < SmallModel;
        _states = [.. Enumerable.Range(0, slots).Select(_ => model.CreateState(1))];
        _logits = [.. Enumerable.Range(0, slots).Select(_ => new float[model.Config.VocabularySize])];
        _rows = new LogitsRows(slots);
    }

    /// <inheritdoc />
    public ModelConfig Config => _model.Config;

    /// <inheritdoc />
    public int Slots => _states.Length;

    /// <inheritdoc />
    public int PrefillLength => 2048;

    /// <inheritdoc />
    public long Length(int slot) => _states[slot].Length;

    /// <inheritdoc />
    public long StateBytes(int slot) => _states[slot].ByteCount;

    /// <inheritdoc />
    public void Clear(int slot)
    {
        DecoderInput.CheckSlot(this, slot);
        Replace(slot, _model.CreateState(1));
    }

    /// <inheritdoc />
    public void Prefill(int slot, ReadOnlySpan<int> ids)
    {
        DecoderInput.CheckPrefill(this, slot, ids);
        _rows.ForgetAll();
        Read(slot, ids);

        // A state that is saved and loaded has to be what it was, strides included: products of other strides may differ in the last bit.
        using var scope = NewDisposeScope();
        foreach (var layer in _states[slot].Layers.OfType<GatedSlotLayerState>())
        {
            layer.Replace(new GatedSlotState(layer.Value.Keys.contiguous(), layer.Value.Values.contiguous()));
        }
    }

    /// <inheritdoc />
    public void Step(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids)
    {
        DecoderInput.CheckStep(this, slots, ids);
        _rows.ForgetAll();
        for (int i = 0; i < slots.Length; i++)
        {
            Read(slots[i], ids.Slice(i, 1));
        }
    }

    /// <inheritdoc />
    public ReadOnlySpan<float> Logits(int slot) => _logits[_rows[slot]];

    /// <inheritdoc />
    public SlotState Save(int slot)
    {
        DecoderInput.CheckSlot(this, slot);
        if (!Config.IsRecurrent)
        {
            throw new NotSupportedException("the model is not recurrent: what it remembers of a sequence grows");
        }

        using var scope = NewDisposeScope();
        GatedSlotState[] layers = [.. _states[slot].Layers.Select(l => ((GatedSlotLayerState)l).Value)];
        return new SlotState(_states[slot].Length, [.. layers.Select(l => Numbers(l.Keys))], [.. layers.Select(l => Numbers(l.Values))]);

        static float[] Numbers(Tensor x) => TensorMemory.AsSpan<float>(x.to(ScalarType.Float32).cpu().contiguous()).ToArray();
    }

    /// <inheritdoc />
    public void Load(int slot, SlotState state)
    {
        DecoderInput.CheckLoad(this, slot, state);
        using var scope = NewDisposeScope();
        var loaded = _model.CreateState(1);
        try
        {
            for (int i = 0; i < Config.Layers; i++)
            {
                var layer = (GatedSlotLayerState)loaded.Layers[i];
                layer.Replace(new GatedSlotState(Shaped(state.Keys[i], layer.Value.Keys), Shaped(state.Values[i], layer.Value.Values)));
            }
        }
        catch
        {
            loaded.Dispose();
            throw;
        }

        loaded.Advance(state.Length);
        Replace(slot, loaded);

        static Tensor Shaped(float[] numbers, Tensor like) => tensor(numbers, like.shape).to(like.dtype, like.device);
    }

    /// <inheritdoc />
    public void Dispose() => Array.ForEach(_states, s => s.Dispose());

    private void Replace(int slot, ModelState state)
    {
        _states[slot].Dispose();
        _states[slot] = state;
        _rows.Forget(slot);
    }

    private void Read(int slot, ReadOnlySpan<int> ids)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var threads = ids.Length == 1 && _isSmall ? CpuThreads.JustOne() : null;
        var wide = new long[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            wide[i] = ids[i];
        }

        var form = ids.Length == 1 ? GatedSlotForm.Recurrent : GatedSlotForm.Chunk;
        var logits_11V = _model.Continue(tensor(wide, [1, ids.Length], device: _model.Device), _states[slot], form).to(ScalarType.Float32).cpu();
        TensorMemory.AsSpan<float>(logits_11V.contiguous()).CopyTo(_logits[slot]);
        _rows[slot] = slot;
    }
}
