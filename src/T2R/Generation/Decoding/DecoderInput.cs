using T2R.Mixers;

namespace T2R.Generation.Decoding;

/// <summary>What decoders are given, held to what <see cref="IDecoder"/> says before anything of it is used: what is refused has changed nothing.</summary>
internal static class DecoderInput
{
    /// <summary>Checks a slot.</summary>
    /// <exception cref="ArgumentException">The decoder has no such slot.</exception>
    public static void CheckSlot(IDecoder decoder, int slot)
    {
        if ((uint)slot >= (uint)decoder.Slots)
        {
            throw new ArgumentException($"there is no slot {slot}; the decoder has {decoder.Slots}", nameof(slot));
        }
    }

    /// <summary>Checks what <see cref="IDecoder.Prefill"/> is given.</summary>
    /// <exception cref="ArgumentException">There is no such slot or id, or there are no ids or too many.</exception>
    public static void CheckPrefill(IDecoder decoder, int slot, ReadOnlySpan<int> ids)
    {
        if (ids.IsEmpty || ids.Length > decoder.PrefillLength)
        {
            throw new ArgumentException($"there are {ids.Length} ids to read at once; expected 1 to {decoder.PrefillLength}", nameof(ids));
        }

        CheckSlot(decoder, slot);
        CheckIds(decoder, ids);
    }

    /// <summary>Checks what <see cref="IDecoder.Step"/> is given.</summary>
    /// <exception cref="ArgumentException">There is no such slot or id, a slot is named twice, or there is not one id a slot.</exception>
    public static void CheckStep(IDecoder decoder, ReadOnlySpan<int> slots, ReadOnlySpan<int> ids)
    {
        if (slots.Length != ids.Length)
        {
            throw new ArgumentException($"there are {ids.Length} ids for {slots.Length} slots", nameof(ids));
        }

        for (int i = 0; i < slots.Length; i++)
        {
            CheckSlot(decoder, slots[i]);
            if (slots[..i].Contains(slots[i]))
            {
                throw new ArgumentException($"slot {slots[i]} is named twice", nameof(slots));
            }
        }

        CheckIds(decoder, ids);
    }

    /// <summary>Checks what <see cref="IDecoder.Load"/> is given.</summary>
    /// <exception cref="ArgumentException">There is no such slot, or the state is of a model of another shape.</exception>
    public static void CheckLoad(IDecoder decoder, int slot, SlotState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        CheckSlot(decoder, slot);
        var config = decoder.Config;
        if (!config.IsRecurrent || state.Keys.Count != config.Layers || state.Values.Count != config.Layers)
        {
            throw new ArgumentException(
                $"the state has {state.Keys.Count} layers of keys and {state.Values.Count} of values, the model {(config.IsRecurrent ? config.Layers : 0)} of {config.Layers}", nameof(state));
        }

        for (int i = 0; i < config.Layers; i++)
        {
            var mixer = (GatedSlotAttentionConfig)config.Mixers[i];
            int expected = mixer.KeyValueHeads * mixer.HeadDim * mixer.Slots;
            if (state.Keys[i].Length != expected || state.Values[i].Length != expected)
            {
                throw new ArgumentException($"layer {i} of the state has {state.Keys[i].Length} numbers of keys and {state.Values[i].Length} of values, the model's {expected} of each", nameof(state));
            }
        }
    }

    private static void CheckIds(IDecoder decoder, ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)decoder.Config.VocabularySize)
            {
                throw new ArgumentException($"there is no id {id}; the model has {decoder.Config.VocabularySize}", nameof(ids));
            }
        }
    }
}
