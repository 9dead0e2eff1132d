using T2R.Generation.Decoding;
using T2R.Mixers;
using T2R.Models;

namespace T2R.Tests.Generation.Serving;

/// <summary>
/// A decoder without a model: logits follow from a hash of what a slot has read and of the pieces it was read in. It remembers what it was asked, and can be made to wait or to fail.
/// </summary>
internal sealed class ToyDecoder(int slots, int vocabularySize, int prefillLength = 8) : IDecoder
{
    private readonly ulong[] _hashes = new ulong[slots];
    private readonly long[] _lengths = new long[slots];

    /// <summary>What was read, in order: of a prefill its slot and length, of a step its slots and −1.</summary>
    public List<(int[] Slots, int Length)> Calls { get; } = [];

    /// <summary>Called before each prefill and step with the slots.</summary>
    public Action<int[]>? Reading { get; set; }

    /// <summary>Called before a slot is emptied.</summary>
    public Action<int>? Clearing { get; set; }

    /// <summary>A slot whose logits are no numbers.</summary>
    public int Broken { get; set; } = -1;

    public bool IsDisposed { get; private set; }

    public ModelConfig Config { get; } = new()
    {
        VocabularySize = vocabularySize,
        HiddenSize = 1,
        IntermediateSize = 1,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = false,
        MaxPositionEmbeddings = 1,
        Mixers = [new GatedSlotAttentionConfig(1, 1, 2, 1)],
    };

    public int Slots => slots;

    public int PrefillLength => prefillLength;

    public long Length(int slot) => _lengths[slot];

    public long StateBytes(int slot) => 16;

    public void Clear(int slot)
    {
        Clearing?.Invoke(slot);
        (_hashes[slot], _lengths[slot]) = (0, 0);
    }

    public void Prefill(int slot, ReadOnlySpan<int> ids)
    {
        Calls.Add(([slot], ids.Length));
        Reading?.Invoke([slot]);
        foreach (int id in ids)
        {
            Read(slot, id);
        }

        Mix(slot, 1000);
    }

    public void Step(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids)
    {
        Calls.Add((slots.ToArray(), -1));
        Reading?.Invoke(slots.ToArray());
        for (int i = 0; i < slots.Length; i++)
        {
            Read(slots[i], ids[i]);
        }
    }

    public ReadOnlySpan<float> Logits(int slot)
    {
        var random = new Random((int)_hashes[slot]);
        float[] logits = [.. Enumerable.Range(0, vocabularySize).Select(_ => slot == Broken ? float.NaN : 8 * random.NextSingle())];
        return logits;
    }

    public SlotState Save(int slot) =>
        new(_lengths[slot], [[BitConverter.UInt32BitsToSingle((uint)_hashes[slot]), 0]], [[BitConverter.UInt32BitsToSingle((uint)(_hashes[slot] >> 32)), 0]]);

    public void Load(int slot, SlotState state)
    {
        _lengths[slot] = state.Length;
        _hashes[slot] = BitConverter.SingleToUInt32Bits(state.Keys[0][0]) | ((ulong)BitConverter.SingleToUInt32Bits(state.Values[0][0]) << 32);
    }

    public void Dispose() => IsDisposed = true;

    private void Read(int slot, int id)
    {
        Mix(slot, id);
        _lengths[slot]++;
    }

    private void Mix(int slot, int number) => _hashes[slot] = System.Numerics.BitOperations.RotateLeft((_hashes[slot] ^ (uint)(number + 1)) * 0x9E3779B97F4A7C15, 29);
}
