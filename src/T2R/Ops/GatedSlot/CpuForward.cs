using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using T2R.Interop;
using static T2R.Ops.GatedSlot.CpuVector;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// The recurrence of one key-value head on one thread, a block of tokens at a time (Zhang et al., NeurIPS 2024, section 3). A tile of the state, four
/// rows of eight floats, stays in registers while the block's tokens pass: decay, write and the readouts of all query heads of the group in one go,
/// (2 + G) · (K + V) · M multiply-adds a token. From memory come 4 · (G K + K + V + 2 M) bytes a token, to it go 4 · G V and, for a backward,
/// 4 · G M and a state every block. No sum of gates is ever formed, so nothing is lost for any gate.
/// </summary>
/// <param name="inputs">What to compute from.</param>
/// <param name="initial">The state before the first token, contiguous.</param>
/// <param name="results">Where to write.</param>
internal sealed class CpuForward(CpuInputs inputs, GatedSlotState initial, CpuResults results)
{
    private readonly CpuSizes _z = inputs.Sizes;

    /// <summary>Computes one pair of a sequence and a key-value head.</summary>
    internal void Run(int item)
    {
        var block = new CpuBlock(inputs, item);
        float[] p = new float[CpuSizes.BlockLength * _z.Groups * _z.PaddedSlots];
        float[] o = new float[CpuSizes.BlockLength * _z.Groups * _z.PaddedValue];
        int keys = _z.PaddedKey * _z.PaddedSlots;

        // With a backward to come, each block reads its state and writes the next one's; without, one state is updated in place.
        var states = results.States is null
            ? new float[_z.StateLength]
            : TensorMemory.AsSpan<float>(results.States).Slice(item * (_z.Blocks + 1) * _z.StateLength, (_z.Blocks + 1) * _z.StateLength);
        int step = results.States is null ? 0 : _z.StateLength;
        states[.._z.StateLength].Clear();
        CpuState.Pack(initial.Keys, item, states, _z.KeyDim, _z.Slots, _z.PaddedSlots);
        CpuState.Pack(initial.Values, item, states[keys..], _z.Slots, _z.ValueDim, _z.PaddedValue);
        for (int i = 0; i < _z.Blocks; i++)
        {
            var before = states.Slice(i * step, _z.StateLength);
            var after = states.Slice((i + 1) * step, _z.StateLength);
            block.Load(i);
            ReadKeys(block, before, after, p);
            Softmax(block.Count, p);
            ReadValues(block, before[keys..], after[keys..], p, o);
            block.Unpack(o, _z.PaddedValue, results.Output, i * CpuSizes.BlockLength, _z.Groups, _z.ValueDim);
            if (results.Probabilities is not null)
            {
                block.Unpack(p, _z.PaddedSlots, results.Probabilities, i * CpuSizes.BlockLength, _z.Groups, _z.Slots);
            }
        }

        var last = states.Slice(_z.Blocks * step, _z.StateLength);
        CpuState.Unpack(last, results.Final.Keys, item, _z.KeyDim, _z.Slots, _z.PaddedSlots);
        CpuState.Unpack(last[keys..], results.Final.Values, item, _z.Slots, _z.ValueDim, _z.PaddedValue);
    }

    /// <summary>Hk ← Hk · exp(g) + k ⊗ s and z = qᵀ Hk: rows are key dimensions, lanes are slots.</summary>
    private void ReadKeys(CpuBlock block, ReadOnlySpan<float> before, Span<float> after, float[] logits)
    {
        var (groups, keyWidth, slots) = (_z.Groups, _z.PaddedKey, _z.PaddedSlots);
        ref float source = ref MemoryMarshal.GetReference(before);
        ref float target = ref MemoryMarshal.GetReference(after);
        ref float q = ref MemoryMarshal.GetArrayDataReference(block.Queries);
        ref float k = ref MemoryMarshal.GetArrayDataReference(block.Keys);
        ref float s = ref MemoryMarshal.GetArrayDataReference(block.Write);
        ref float d = ref MemoryMarshal.GetArrayDataReference(block.Decay);
        ref float z = ref MemoryMarshal.GetArrayDataReference(logits);
        logits.AsSpan().Clear();
        for (int m = 0; m < slots; m += CpuSizes.Width)
        {
            for (int row = 0; row < keyWidth; row += CpuTile.Rows)
            {
                var tile = CpuTile.Read(ref source, (row * slots) + m, slots);
                for (int t = 0; t < block.Count; t++)
                {
                    ref float key = ref Unsafe.Add(ref k, (t * keyWidth) + row);
                    tile = tile.TimesPlus(Load(ref d, (t * slots) + m), CpuTile.Outer(ref key, Load(ref s, (t * slots) + m)));
                    for (int g = t * groups; g < (t + 1) * groups; g++)
                    {
                        tile.AddRowsTo(ref z, (g * slots) + m, ref Unsafe.Add(ref q, (g * keyWidth) + row));
                    }
                }

                tile.Write(ref target, (row * slots) + m, slots);
            }
        }
    }

    /// <summary>Hv ← Hv · exp(g) + s ⊗ v and o = p Hv: rows are slots, lanes are value dimensions.</summary>
    private void ReadValues(CpuBlock block, ReadOnlySpan<float> before, Span<float> after, float[] probabilities, float[] output)
    {
        var (groups, slots, valueWidth) = (_z.Groups, _z.PaddedSlots, _z.PaddedValue);
        ref float source = ref MemoryMarshal.GetReference(before);
        ref float target = ref MemoryMarshal.GetReference(after);
        ref float v = ref MemoryMarshal.GetArrayDataReference(block.Values);
        ref float s = ref MemoryMarshal.GetArrayDataReference(block.Write);
        ref float d = ref MemoryMarshal.GetArrayDataReference(block.Decay);
        ref float p = ref MemoryMarshal.GetArrayDataReference(probabilities);
        ref float o = ref MemoryMarshal.GetArrayDataReference(output);
        output.AsSpan().Clear();
        for (int lane = 0; lane < valueWidth; lane += CpuSizes.Width)
        {
            for (int row = 0; row < slots; row += CpuTile.Rows)
            {
                var tile = CpuTile.Read(ref source, (row * valueWidth) + lane, valueWidth);
                for (int t = 0; t < block.Count; t++)
                {
                    ref float decay = ref Unsafe.Add(ref d, (t * slots) + row);
                    ref float write = ref Unsafe.Add(ref s, (t * slots) + row);
                    tile = tile.TimesPlus(ref decay, CpuTile.Outer(ref write, Load(ref v, (t * valueWidth) + lane)));
                    for (int g = t * groups; g < (t + 1) * groups; g++)
                    {
                        tile.AddRowsTo(ref o, (g * valueWidth) + lane, ref Unsafe.Add(ref p, (g * slots) + row));
                    }
                }

                tile.Write(ref target, (row * valueWidth) + lane, valueWidth);
            }
        }
    }

    /// <summary>In place, over the true slots; padding becomes 0.</summary>
    private void Softmax(int count, float[] logits)
    {
        for (int row = 0; row < count * _z.Groups; row++)
        {
            var padded = logits.AsSpan(row * _z.PaddedSlots, _z.PaddedSlots);
            padded[_z.Slots..].Fill(float.NegativeInfinity);
            var vectors = MemoryMarshal.Cast<float, Vector256<float>>(padded);
            var most = vectors[0];
            foreach (var vector in vectors[1..])
            {
                most = Vector256.Max(most, vector);
            }

            float max = float.NegativeInfinity;
            for (int lane = 0; lane < CpuSizes.Width; lane++)
            {
                max = Math.Max(max, most[lane]);
            }

            var sum = Vector256<float>.Zero;
            foreach (ref var vector in vectors)
            {
                vector = Exp(vector - Vector256.Create(max));
                sum += vector;
            }

            float scale = 1 / Vector256.Sum(sum);
            foreach (ref var vector in vectors)
            {
                vector *= scale;
            }
        }
    }
}
