using T2R.Models;

namespace T2R.Generation.Decoding;

/// <summary>
/// A model that reads several sequences side by side, each in a slot of its own. What a slot's sequence gives does not depend on what the others hold, to the bit. Not
/// for several threads.
/// </summary>
public interface IDecoder : IDisposable
{
    /// <summary>The model's shape.</summary>
    ModelConfig Config { get; }

    /// <summary>How many sequences it holds at once: slots are 0 … Slots − 1, all empty at first.</summary>
    int Slots { get; }

    /// <summary>The most tokens that <see cref="Prefill"/> takes. Which pieces a prompt is cut into shows in the last bits: cut it from its beginning into pieces of this length.</summary>
    int PrefillLength { get; }

    /// <summary>Tokens that a slot has read.</summary>
    /// <param name="slot">Which.</param>
    long Length(int slot);

    /// <summary>Bytes that remember them: for a recurrent model the same however many they are.</summary>
    /// <param name="slot">Which.</param>
    long StateBytes(int slot);

    /// <summary>Empties a slot.</summary>
    /// <param name="slot">Which.</param>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    void Clear(int slot);

    /// <summary>Lets a slot read several tokens of its sequence at once.</summary>
    /// <param name="slot">Which.</param>
    /// <param name="ids">1 to <see cref="PrefillLength"/> ids below the vocabulary's size.</param>
    /// <exception cref="ArgumentException">There is no such slot or id, or there are too few ids or too many; nothing was read.</exception>
    void Prefill(int slot, ReadOnlySpan<int> ids);

    /// <summary>Lets several slots read one token each.</summary>
    /// <param name="slots">Which; none twice.</param>
    /// <param name="ids">One id a slot.</param>
    /// <exception cref="ArgumentException">There is no such slot or id, a slot is named twice, or there is not one id a slot; nothing was read.</exception>
    void Step(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids);

    /// <summary>Logits of the token that follows what a slot has read, fp32 <c>[V]</c>; good until the decoder reads again.</summary>
    /// <param name="slot">One that the latest <see cref="Prefill"/> or <see cref="Step"/> read for.</param>
    /// <exception cref="ArgumentException">It did not, or the slot was emptied or loaded since.</exception>
    ReadOnlySpan<float> Logits(int slot);

    /// <summary>Chooses the token that follows in each of several slots, where the logits are.</summary>
    /// <param name="slots">Of the latest <see cref="Prefill"/> or <see cref="Step"/>.</param>
    /// <param name="samplers">One a slot; they stay as they are until they are told what was taken (<see cref="Sampler.Accept"/>).</param>
    /// <param name="ids">Receives one id a slot.</param>
    /// <exception cref="UserErrorException">Logits are not finite numbers: the model is damaged, or its dtype overflows.</exception>
    void Choose(ReadOnlySpan<int> slots, ReadOnlySpan<Sampler> samplers, Span<int> ids)
    {
        for (int i = 0; i < slots.Length; i++)
        {
            ids[i] = samplers[i].Next(Logits(slots[i]));
        }
    }

    /// <summary>A copy, in host memory, of what a slot remembers.</summary>
    /// <param name="slot">Which.</param>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    /// <exception cref="NotSupportedException">The model is not recurrent: what it remembers grows.</exception>
    SlotState Save(int slot);

    /// <summary>Makes a slot remember what another, of this decoder or of one with the same model, remembered.</summary>
    /// <param name="slot">Which.</param>
    /// <param name="state">What <see cref="Save"/> gave.</param>
    /// <exception cref="ArgumentException">There is no such slot, or the state is of a model of another shape; the slot is as it was.</exception>
    void Load(int slot, SlotState state);
}
