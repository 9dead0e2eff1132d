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
    public void Clear(int slot) => Replace(slot, _model.CreateState(1));

    /// <inheritdoc />
    public void Prefill(int slot, ReadOnlySpan<int> ids)
    {
        if (ids.IsEmpty || ids.Length > PrefillLength)
        {
            throw new ArgumentException($"there are {ids.Length} ids to read, expected 1 to {PrefillLength}", nameof(ids));
        }

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
        for (int i = 0; i < slots.Length; i++)
        {
            Read(slots[i], ids.Slice(i, 1));
        }
    }

    /// <inheritdoc />
    public ReadOnlySpan<float> Logits(int slot) => _logits[slot];

    /// <inheritdoc />
    public SlotState Save(int slot)
    {
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
        using var scope = NewDisposeScope();
        var loaded = _model.CreateState(1);
        try
        {
            if (!Config.IsRecurrent || state.Keys.Count != Config.Layers || state.Values.Count != Config.Layers)
            {
                throw new ArgumentException($"the state has {state.Keys.Count} layers of slots, the model {(Config.IsRecurrent ? Config.Layers : 0)} of {Config.Layers}", nameof(state));
            }

            for (int i = 0; i < Config.Layers; i++)
            {
                var layer = (GatedSlotLayerState)loaded.Layers[i];
                layer.Replace(new GatedSlotState(Shaped(state.Keys[i], layer.Value.Keys, i), Shaped(state.Values[i], layer.Value.Values, i)));
            }
        }
        catch
        {
            loaded.Dispose();
            throw;
        }

        loaded.Advance(state.Length);
        Replace(slot, loaded);

        static Tensor Shaped(float[] numbers, Tensor like, int layer) => numbers.Length == like.NumberOfElements
            ? tensor(numbers, like.shape).to(like.dtype, like.device)
            : throw new ArgumentException($"layer {layer} of the state has {numbers.Length} numbers, the model's {like.NumberOfElements}", nameof(state));
    }

    /// <inheritdoc />
    public void Dispose() => Array.ForEach(_states, s => s.Dispose());

    private void Replace(int slot, ModelState state)
    {
        _states[slot].Dispose();
        _states[slot] = state;
    }

    private void Read(int slot, ReadOnlySpan<int> ids)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var threads = ids.Length == 1 && _isSmall ? CpuThreads.JustOne() : null;
        var wide = new long[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            wide[i] = (uint)ids[i] < (uint)Config.VocabularySize
                ? ids[i]
                : throw new ArgumentException($"there is no id {ids[i]}; the model has {Config.VocabularySize}", nameof(ids));
        }

        var form = ids.Length == 1 ? GatedSlotForm.Recurrent : GatedSlotForm.Chunk;
        var logits_11V = _model.Continue(tensor(wide, [1, ids.Length], device: _model.Device), _states[slot], form).to(ScalarType.Float32).cpu();
        TensorMemory.AsSpan<float>(logits_11V.contiguous()).CopyTo(_logits[slot]);
    }
}
