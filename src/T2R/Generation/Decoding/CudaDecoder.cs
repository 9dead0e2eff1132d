using System.Runtime.InteropServices;
using T2R.Interop;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops;
using T2R.Ops.Decode;
using static TorchSharp.torch;

namespace T2R.Generation.Decoding;

/// <summary>A recurrent model in bf16 or fp16 on a card: steps and choices by the kernels of <c>Ops/Decode</c>, prompts by the chunk form.</summary>
public sealed class CudaDecoder : IDecoder
{
    private readonly CausalLM _model;
    private readonly CudaStep _step;
    private readonly long[] _lengths;
    private readonly LogitsRows _rows;
    private readonly float[] _logits;
    private readonly Tensor _ids; // chosen

    /// <summary>Makes one, and compiles its kernels.</summary>
    /// <param name="model">In bf16 or fp16, on a card; borrowed.</param>
    /// <param name="slots">Sequences held at once.</param>
    /// <exception cref="NotSupportedException">There are no kernels for it; says why.</exception>
    public CudaDecoder(CausalLM model, int slots)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        if (Unfit(model) is { } why)
        {
            throw new NotSupportedException(why);
        }

        (_model, _lengths, _rows, _logits) = (model, new long[slots], new LogitsRows(slots), new float[model.Config.VocabularySize]);
        _step = new CudaStep(model, slots);
        try
        {
            _ids = empty([CudaChoose.MostSequences], ScalarType.Int32, model.Device).DetachFromDisposeScope();
        }
        catch
        {
            _step.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    public ModelConfig Config => _model.Config;

    /// <inheritdoc />
    public int Slots => _lengths.Length;

    /// <inheritdoc />
    public int PrefillLength => 8192;

    /// <summary>Why a model cannot be decoded here; null when it can.</summary>
    /// <param name="model">On any device.</param>
    public static string? Unfit(CausalLM model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return CudaStep.Unfit(model);
    }

    /// <inheritdoc />
    public long Length(int slot) => _lengths[slot];

    /// <inheritdoc />
    public long StateBytes(int slot) => _step.States.Sum(s => (s.Keys.numel() + s.Values.numel()) * sizeof(float)) / Slots;

    /// <inheritdoc />
    public void Clear(int slot)
    {
        DecoderInput.CheckSlot(this, slot);
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        foreach (var (keys, values) in _step.States)
        {
            keys[slot].zero_();
            values[slot].zero_();
        }

        _lengths[slot] = 0;
        _rows.Forget(slot);
    }

    /// <inheritdoc />
    public void Prefill(int slot, ReadOnlySpan<int> ids)
    {
        DecoderInput.CheckPrefill(this, slot, ids);
        _rows.ForgetAll();
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var state = _model.CreateState(1);
        foreach (var (layer, (keys, values)) in state.Layers.Cast<GatedSlotLayerState>().Zip(_step.States))
        {
            layer.Value.Keys.copy_(keys.narrow(0, slot, 1));
            layer.Value.Values.copy_(values.narrow(0, slot, 1));
        }

        using var onCard = tensor(ids.ToArray(), [1, ids.Length]).to(ScalarType.Int64).to(_model.Device);
        using var context = new SequenceContext(1, ids.Length, _model.Device)
        {
            Workspace = Workspace.Standard with { WideElements = (long)ids.Length * Config.IntermediateSize },
        };
        _step.Logits.narrow(0, 0, 1).copy_(_model.Forward(onCard, context, state, lastOnly: true).view(1, -1));
        foreach (var (layer, (keys, values)) in state.Layers.Cast<GatedSlotLayerState>().Zip(_step.States))
        {
            keys.narrow(0, slot, 1).copy_(layer.Value.Keys);
            values.narrow(0, slot, 1).copy_(layer.Value.Values);
        }

        _lengths[slot] += ids.Length;
        _rows[slot] = 0;
    }

    /// <inheritdoc />
    public void Step(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids)
    {
        DecoderInput.CheckStep(this, slots, ids);
        _rows.ForgetAll();
        _step.Run(slots, ids);
        for (int i = 0; i < slots.Length; i++)
        {
            _rows[slots[i]] = i;
            _lengths[slots[i]]++;
        }
    }

    /// <inheritdoc />
    public ReadOnlySpan<float> Logits(int slot)
    {
        using var scope = NewDisposeScope();
        TensorMemory.AsSpan<float>(_step.Logits[_rows[slot]].cpu()).CopyTo(_logits);
        return _logits;
    }

    /// <inheritdoc />
    public void Choose(ReadOnlySpan<int> slots, ReadOnlySpan<Sampler> samplers, Span<int> ids)
    {
        // What needs a text's ids, or ids' biases, is chosen here, from logits that are fetched; all else where they are.
        var there = new List<int>();
        for (int i = 0; i < slots.Length; i++)
        {
            if (samplers[i].Options is { RepetitionPenalty: 1, LogitBias.Count: 0 })
            {
                there.Add(i);
            }
            else
            {
                ids[i] = samplers[i].Next(Logits(slots[i]));
            }
        }

        for (int first = 0; first < there.Count; first += CudaChoose.MostSequences)
        {
            ChooseThere(CollectionsMarshal.AsSpan(there)[first..Math.Min(first + CudaChoose.MostSequences, there.Count)], slots, samplers, ids);
        }
    }

    /// <inheritdoc />
    public SlotState Save(int slot)
    {
        DecoderInput.CheckSlot(this, slot);
        return new SlotState(_lengths[slot], [.. _step.States.Select(s => Copy(s.Keys))], [.. _step.States.Select(s => Copy(s.Values))]);

        float[] Copy(Tensor states)
        {
            using var scope = NewDisposeScope();
            return TensorMemory.AsSpan<float>(states[slot].cpu()).ToArray();
        }
    }

    /// <inheritdoc />
    public void Load(int slot, SlotState state)
    {
        DecoderInput.CheckLoad(this, slot, state);
        var states = _step.States;
        for (int i = 0; i < states.Count; i++)
        {
            Copy(state.Keys[i], states[i].Keys);
            Copy(state.Values[i], states[i].Values);
        }

        _lengths[slot] = state.Length;
        _rows.Forget(slot);

        void Copy(float[] from, Tensor to)
        {
            using var scope = NewDisposeScope();
            to[slot].copy_(tensor(from).view(to[slot].shape));
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _step.Dispose();
        _ids.Dispose();
    }

    private void ChooseThere(ReadOnlySpan<int> which, ReadOnlySpan<int> slots, ReadOnlySpan<Sampler> samplers, Span<int> ids)
    {
        using var scope = NewDisposeScope();
        Span<CudaChoose.Choice> choices = stackalloc CudaChoose.Choice[which.Length];
        for (int i = 0; i < which.Length; i++)
        {
            var sampler = samplers[which[i]];
            choices[i] = new CudaChoose.Choice
            {
                Seed = sampler.Options.Seed,
                Draw = sampler.Draws,
                Temperature = sampler.Options.Temperature,
                TopP = sampler.Options.TopP,
                MinP = sampler.Options.MinP,
                TopK = sampler.Options.TopK ?? 0,
                Row = _rows[slots[which[i]]],
                Vocabulary = Math.Min(Config.VocabularySize, sampler.VocabularySize),
            };
        }

        CudaChoose.Run(_step.Logits, choices, _ids);
        var chosen = TensorMemory.AsSpan<int>(_ids.cpu());
        for (int i = 0; i < which.Length; i++)
        {
            ids[which[i]] = chosen[i] >= 0 ? chosen[i] : throw Sampler.NotFinite();
        }
    }
}
