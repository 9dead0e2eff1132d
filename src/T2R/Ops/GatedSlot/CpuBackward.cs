using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using T2R.Interop;
using static T2R.Ops.GatedSlot.CpuVector;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// The gradients of one key-value head on one thread, from the last block to the first. With D the gradient of the state after a token, that token
/// adds to it what its readouts give, takes from it the gradients of what it wrote, and hands D · exp(g) to the token before:
/// <code>
/// Dv += p ⊗ do     dp = Hv do     dz = p ∘ (dp − Σ p dp)     ds += Dv v     dv = sᵀ Dv     dg += Σ_V exp(g) ∘ Dv ∘ Hv₋₁
/// Dk += q ⊗ dz     dq = Hk dz                                ds += kᵀ Dk    dk = Dk s      dg += Σ_K exp(g) ∘ Dk ∘ Hk₋₁
/// </code>
/// The states inside a block are computed again from the one before it, a tile at a time, so that they never leave the first-level cache:
/// (6 + 2 G) · (K + V) · M multiply-adds a token. The states are turned: most of these sums then run down rows, not across the lanes of a vector.
/// </summary>
/// <param name="inputs">The inputs of the forward.</param>
/// <param name="saved">What the forward kept.</param>
/// <param name="output">The gradient of the output, contiguous.</param>
/// <param name="final">The gradient of the final state, contiguous.</param>
/// <param name="results">Where to write.</param>
internal sealed class CpuBackward(CpuInputs inputs, CpuResults saved, Tensor output, GatedSlotState final, CpuGradients results)
{
    private readonly CpuSizes _z = inputs.Sizes;

    /// <summary>Computes one pair of a sequence and a key-value head.</summary>
    internal void Run(int index)
    {
        var item = new CpuItem(inputs, index);
        var block = new CpuBlock(_z);
        var x = new Scratch(_z);
        int keys = _z.PaddedKey * _z.PaddedSlots;
        float[] state = new float[_z.StateLength];
        var states = TensorMemory.AsSpan<float>(saved.States!).Slice(index * (_z.Blocks + 1) * _z.StateLength, (_z.Blocks + 1) * _z.StateLength);
        CpuState.Pack(final.Keys, index, state, _z.KeyDim, _z.Slots, _z.PaddedSlots);
        CpuState.Pack(final.Values, index, state.AsSpan(keys), _z.Slots, _z.ValueDim, _z.PaddedValue);
        CpuState.Transpose(state.AsSpan(0, keys), x.KeyGradient_MK, _z.PaddedKey, _z.PaddedSlots);
        CpuState.Transpose(state.AsSpan(keys), x.ValueGradient_VM, _z.PaddedSlots, _z.PaddedValue);
        for (int i = _z.Blocks - 1; i >= 0; i--)
        {
            int first = i * CpuSizes.BlockLength;
            var before = states.Slice(i * _z.StateLength, _z.StateLength);
            item.Load(block, i);
            item.Pack(saved.Probabilities!, first, block.Count, _z.Groups, _z.Slots, x.P, _z.PaddedSlots);
            item.Pack(output, first, block.Count, _z.Groups, _z.ValueDim, x.Do, _z.PaddedValue);
            CpuState.Transpose(before[..keys], x.Keys_MK, _z.PaddedKey, _z.PaddedSlots);
            CpuState.Transpose(before[keys..], x.Values_VM, _z.PaddedSlots, _z.PaddedValue);
            x.Clear();
            ThroughValues(block, x);
            ThroughSoftmax(block.Count, x);
            ThroughKeys(block, x);
            item.Unpack(x.Dq, _z.PaddedKey, results.Queries, first, block.Count, _z.Groups, _z.KeyDim);
            item.Unpack(x.Dk, _z.PaddedKey, results.Keys, first, block.Count, 1, _z.KeyDim);
            item.Unpack(x.Dv, _z.PaddedValue, results.Values, first, block.Count, 1, _z.ValueDim);
            item.Unpack(x.Ds, _z.PaddedSlots, results.Write, first, block.Count, 1, _z.Slots);
            item.Unpack(x.Dg, _z.PaddedSlots, results.LogForget, first, block.Count, 1, _z.Slots);
        }

        CpuState.Transpose(x.KeyGradient_MK, state.AsSpan(0, keys), _z.PaddedSlots, _z.PaddedKey);
        CpuState.Transpose(x.ValueGradient_VM, state.AsSpan(keys), _z.PaddedValue, _z.PaddedSlots);
        CpuState.Unpack(state, results.Initial.Keys, index, _z.KeyDim, _z.Slots, _z.PaddedSlots);
        CpuState.Unpack(state.AsSpan(keys), results.Initial.Values, index, _z.Slots, _z.ValueDim, _z.PaddedValue);
    }

    /// <summary>Through o = p Hv and Hv's recurrence: rows are value dimensions, lanes are slots.</summary>
    private void ThroughValues(CpuBlock block, Scratch x)
    {
        var (groups, slots, valueWidth) = (_z.Groups, _z.PaddedSlots, _z.PaddedValue);
        ref float v = ref MemoryMarshal.GetArrayDataReference(block.Values);
        ref float s = ref MemoryMarshal.GetArrayDataReference(block.Write);
        ref float d = ref MemoryMarshal.GetArrayDataReference(block.Decay);
        ref float p = ref MemoryMarshal.GetArrayDataReference(x.P);
        ref float dO = ref MemoryMarshal.GetArrayDataReference(x.Do);
        ref float dp = ref MemoryMarshal.GetArrayDataReference(x.Dp);
        ref float ds = ref MemoryMarshal.GetArrayDataReference(x.Ds);
        ref float dg = ref MemoryMarshal.GetArrayDataReference(x.Dg);
        ref float state = ref MemoryMarshal.GetArrayDataReference(x.Values_VM);
        ref float gradient = ref MemoryMarshal.GetArrayDataReference(x.ValueGradient_VM);
        ref float history = ref MemoryMarshal.GetArrayDataReference(x.History);
        ref float lanes = ref MemoryMarshal.GetArrayDataReference(x.LanesA);
        for (int row = 0; row < valueWidth; row += CpuTile.Rows)
        {
            x.LanesA.AsSpan().Clear();
            for (int m = 0; m < slots; m += CpuSizes.Width)
            {
                var tile = CpuTile.Read(ref state, (row * slots) + m, slots);
                tile.Write(ref history, 0);
                for (int t = 0; t < block.Count; t++)
                {
                    ref float value = ref Unsafe.Add(ref v, (t * valueWidth) + row);
                    tile = tile.TimesPlus(Load(ref d, (t * slots) + m), CpuTile.Outer(ref value, Load(ref s, (t * slots) + m)));
                    tile.Write(ref history, (t + 1) * CpuTile.Length);
                }

                var carried = CpuTile.Read(ref gradient, (row * slots) + m, slots);
                for (int t = block.Count - 1; t >= 0; t--)
                {
                    var after = CpuTile.Read(ref history, (t + 1) * CpuTile.Length);
                    for (int g = t * groups; g < (t + 1) * groups; g++)
                    {
                        ref float doRows = ref Unsafe.Add(ref dO, (g * valueWidth) + row);
                        carried = carried.PlusOuter(ref doRows, Load(ref p, (g * slots) + m));
                        after.AddRowsTo(ref dp, (g * slots) + m, ref doRows);
                    }

                    carried.AddRowsTo(ref ds, (t * slots) + m, ref Unsafe.Add(ref v, (t * valueWidth) + row));
                    carried.TimesPlus(Load(ref s, (t * slots) + m), CpuTile.Read(ref lanes, t * CpuTile.Length)).Write(ref lanes, t * CpuTile.Length);
                    carried = carried.Times(Load(ref d, (t * slots) + m));
                    carried.AddRowsTo(ref dg, (t * slots) + m, CpuTile.Read(ref history, t * CpuTile.Length));
                }

                carried.Write(ref gradient, (row * slots) + m, slots);
            }

            AddLanes(x.LanesA, block.Count, x.Dv, row, valueWidth);
        }
    }

    /// <summary>Through z = qᵀ Hk and Hk's recurrence: rows are slots, lanes are key dimensions.</summary>
    private void ThroughKeys(CpuBlock block, Scratch x)
    {
        var (groups, slots, keyWidth) = (_z.Groups, _z.PaddedSlots, _z.PaddedKey);
        ref float q = ref MemoryMarshal.GetArrayDataReference(block.Queries);
        ref float k = ref MemoryMarshal.GetArrayDataReference(block.Keys);
        ref float s = ref MemoryMarshal.GetArrayDataReference(block.Write);
        ref float d = ref MemoryMarshal.GetArrayDataReference(block.Decay);
        ref float dz = ref MemoryMarshal.GetArrayDataReference(x.Dp);
        ref float dq = ref MemoryMarshal.GetArrayDataReference(x.Dq);
        ref float dk = ref MemoryMarshal.GetArrayDataReference(x.Dk);
        ref float state = ref MemoryMarshal.GetArrayDataReference(x.Keys_MK);
        ref float gradient = ref MemoryMarshal.GetArrayDataReference(x.KeyGradient_MK);
        ref float history = ref MemoryMarshal.GetArrayDataReference(x.History);
        ref float written = ref MemoryMarshal.GetArrayDataReference(x.LanesA);
        ref float forgot = ref MemoryMarshal.GetArrayDataReference(x.LanesB);
        for (int row = 0; row < slots; row += CpuTile.Rows)
        {
            x.LanesA.AsSpan().Clear();
            x.LanesB.AsSpan().Clear();
            for (int lane = 0; lane < keyWidth; lane += CpuSizes.Width)
            {
                var tile = CpuTile.Read(ref state, (row * keyWidth) + lane, keyWidth);
                tile.Write(ref history, 0);
                for (int t = 0; t < block.Count; t++)
                {
                    ref float decay = ref Unsafe.Add(ref d, (t * slots) + row);
                    ref float write = ref Unsafe.Add(ref s, (t * slots) + row);
                    tile = tile.TimesPlus(ref decay, CpuTile.Outer(ref write, Load(ref k, (t * keyWidth) + lane)));
                    tile.Write(ref history, (t + 1) * CpuTile.Length);
                }

                var carried = CpuTile.Read(ref gradient, (row * keyWidth) + lane, keyWidth);
                for (int t = block.Count - 1; t >= 0; t--)
                {
                    var after = CpuTile.Read(ref history, (t + 1) * CpuTile.Length);
                    for (int g = t * groups; g < (t + 1) * groups; g++)
                    {
                        ref float dzRows = ref Unsafe.Add(ref dz, (g * slots) + row);
                        carried = carried.PlusOuter(ref dzRows, Load(ref q, (g * keyWidth) + lane));
                        after.AddRowsTo(ref dq, (g * keyWidth) + lane, ref dzRows);
                    }

                    int token = t * CpuTile.Length;
                    carried.AddRowsTo(ref dk, (t * keyWidth) + lane, ref Unsafe.Add(ref s, (t * slots) + row));
                    carried.TimesPlus(Load(ref k, (t * keyWidth) + lane), CpuTile.Read(ref written, token)).Write(ref written, token);
                    carried = carried.Times(ref Unsafe.Add(ref d, (t * slots) + row));
                    carried.TimesPlus(CpuTile.Read(ref history, token), CpuTile.Read(ref forgot, token)).Write(ref forgot, token);
                }

                carried.Write(ref gradient, (row * keyWidth) + lane, keyWidth);
            }

            AddLanes(x.LanesA, block.Count, x.Ds, row, slots);
            AddLanes(x.LanesB, block.Count, x.Dg, row, slots);
        }
    }

    /// <summary>dz = p ∘ (dp − Σ p dp), in the place of dp.</summary>
    private void ThroughSoftmax(int count, Scratch x)
    {
        for (int row = 0; row < count * _z.Groups; row++)
        {
            var p = MemoryMarshal.Cast<float, Vector256<float>>(x.P.AsSpan(row * _z.PaddedSlots, _z.PaddedSlots));
            var dp = MemoryMarshal.Cast<float, Vector256<float>>(x.Dp.AsSpan(row * _z.PaddedSlots, _z.PaddedSlots));
            var sum = Vector256<float>.Zero;
            for (int m = 0; m < p.Length; m++)
            {
                sum = MultiplyAdd(p[m], dp[m], sum);
            }

            var mean = Vector256.Create(Vector256.Sum(sum));
            for (int m = 0; m < p.Length; m++)
            {
                dp[m] = p[m] * (dp[m] - mean);
            }
        }
    }

    /// <summary>Adds up the lanes of each token's four vectors into four neighbouring floats of its row.</summary>
    private static void AddLanes(float[] tiles, int count, float[] rows, int at, int width)
    {
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(tiles);
        for (int t = 0; t < count; t++)
        {
            var row = rows.AsSpan((t * width) + at, 4);
            for (int i = 0; i < 4; i++)
            {
                row[i] += Vector256.Sum(vectors[(4 * t) + i]);
            }
        }
    }

    /// <summary>One thread's buffers; D is carried from block to block, the rest belongs to one block.</summary>
    private sealed class Scratch(CpuSizes z)
    {
        internal float[] KeyGradient_MK { get; } = new float[z.PaddedSlots * z.PaddedKey];

        internal float[] ValueGradient_VM { get; } = new float[z.PaddedValue * z.PaddedSlots];

        internal float[] Keys_MK { get; } = new float[z.PaddedSlots * z.PaddedKey];

        internal float[] Values_VM { get; } = new float[z.PaddedValue * z.PaddedSlots];

        /// <summary>A tile of the state before the block and after each of its tokens.</summary>
        internal float[] History { get; } = new float[(CpuSizes.BlockLength + 1) * CpuTile.Length];

        /// <summary>For each token four sums over rows of a tile, still spread over the lanes.</summary>
        internal float[] LanesA { get; } = new float[CpuSizes.BlockLength * CpuTile.Length];

        internal float[] LanesB { get; } = new float[CpuSizes.BlockLength * CpuTile.Length];

        internal float[] P { get; } = new float[CpuSizes.BlockLength * z.Groups * z.PaddedSlots];

        internal float[] Do { get; } = new float[CpuSizes.BlockLength * z.Groups * z.PaddedValue];

        internal float[] Dp { get; } = new float[CpuSizes.BlockLength * z.Groups * z.PaddedSlots];

        internal float[] Dq { get; } = new float[CpuSizes.BlockLength * z.Groups * z.PaddedKey];

        internal float[] Dk { get; } = new float[CpuSizes.BlockLength * z.PaddedKey];

        internal float[] Dv { get; } = new float[CpuSizes.BlockLength * z.PaddedValue];

        internal float[] Ds { get; } = new float[CpuSizes.BlockLength * z.PaddedSlots];

        internal float[] Dg { get; } = new float[CpuSizes.BlockLength * z.PaddedSlots];

        internal void Clear()
        {
            foreach (float[] sums in new[] { Dp, Dq, Dk, Dv, Ds, Dg })
            {
                sums.AsSpan().Clear();
            }
        }
    }
}
