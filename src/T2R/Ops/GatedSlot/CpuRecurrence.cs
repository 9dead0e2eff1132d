using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using static T2R.Ops.GatedSlot.CpuVector;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// The recurrence of one key-value head over a block of tokens, on one thread (Zhang et al., NeurIPS 2024, section 3). A tile of the state, four
/// rows of eight floats, stays in registers while the block's tokens pass: decay, write and the readouts of all query heads of the group in one go,
/// (2 + G) · (K + V) · M multiply-adds a token. No sum of gates is ever formed, so nothing is lost for any gate. What a token gives does not depend on how the
/// text is cut into blocks, to the bit.
/// </summary>
/// <param name="sizes">The sizes.</param>
internal sealed class CpuRecurrence(CpuSizes sizes)
{
    private readonly CpuSizes _z = sizes;

    /// <summary>The tokens to read.</summary>
    internal CpuBlock Block { get; } = new(sizes);

    /// <summary>[token, query head of the group, M]: the softmax over the slots.</summary>
    internal float[] Probabilities { get; } = new float[CpuSizes.BlockLength * sizes.Groups * sizes.PaddedSlots];

    /// <summary>[token, query head of the group, V].</summary>
    internal float[] Output { get; } = new float[CpuSizes.BlockLength * sizes.Groups * sizes.PaddedValue];

    /// <summary>Reads the block.</summary>
    /// <param name="before">The padded state before it.</param>
    /// <param name="after">Receives the state after it; may be the same memory.</param>
    internal void Run(ReadOnlySpan<float> before, Span<float> after)
    {
        int keys = _z.PaddedKey * _z.PaddedSlots;
        ReadKeys(before, after);
        Softmax();
        ReadValues(before[keys..], after[keys..]);
    }

    /// <summary>Hk ← Hk · exp(g) + k ⊗ s and z = qᵀ Hk: rows are key dimensions, lanes are slots.</summary>
    private void ReadKeys(ReadOnlySpan<float> before, Span<float> after)
    {
        var (count, groups, keyWidth, slots) = (Block.Count, _z.Groups, _z.PaddedKey, _z.PaddedSlots);
        ref float source = ref MemoryMarshal.GetReference(before);
        ref float target = ref MemoryMarshal.GetReference(after);
        ref float q = ref MemoryMarshal.GetArrayDataReference(Block.Queries);
        ref float k = ref MemoryMarshal.GetArrayDataReference(Block.Keys);
        ref float s = ref MemoryMarshal.GetArrayDataReference(Block.Write);
        ref float d = ref MemoryMarshal.GetArrayDataReference(Block.Decay);
        ref float z = ref MemoryMarshal.GetArrayDataReference(Probabilities);
        Probabilities.AsSpan(0, count * groups * slots).Clear();
        for (int m = 0; m < slots; m += CpuSizes.Width)
        {
            for (int row = 0; row < keyWidth; row += CpuTile.Rows)
            {
                var tile = CpuTile.Read(ref source, (row * slots) + m, slots);
                for (int t = 0; t < count; t++)
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
    private void ReadValues(ReadOnlySpan<float> before, Span<float> after)
    {
        var (count, groups, slots, valueWidth) = (Block.Count, _z.Groups, _z.PaddedSlots, _z.PaddedValue);
        ref float source = ref MemoryMarshal.GetReference(before);
        ref float target = ref MemoryMarshal.GetReference(after);
        ref float v = ref MemoryMarshal.GetArrayDataReference(Block.Values);
        ref float s = ref MemoryMarshal.GetArrayDataReference(Block.Write);
        ref float d = ref MemoryMarshal.GetArrayDataReference(Block.Decay);
        ref float p = ref MemoryMarshal.GetArrayDataReference(Probabilities);
        ref float o = ref MemoryMarshal.GetArrayDataReference(Output);
        Output.AsSpan(0, count * groups * valueWidth).Clear();
        for (int lane = 0; lane < valueWidth; lane += CpuSizes.Width)
        {
            for (int row = 0; row < slots; row += CpuTile.Rows)
            {
                var tile = CpuTile.Read(ref source, (row * valueWidth) + lane, valueWidth);
                for (int t = 0; t < count; t++)
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
    private void Softmax()
    {
        for (int row = 0; row < Block.Count * _z.Groups; row++)
        {
            var padded = Probabilities.AsSpan(row * _z.PaddedSlots, _z.PaddedSlots);
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
