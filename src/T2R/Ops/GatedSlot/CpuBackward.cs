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
    private const int Tile = 4 * CpuSizes.Width;
    private readonly CpuSizes _z = inputs.Sizes;

    /// <summary>Computes one pair of a sequence and a key-value head.</summary>
    internal void Run(int item)
    {
        var block = new CpuBlock(inputs, item);
        var x = new Scratch(_z);
        int keys = _z.PaddedKey * _z.PaddedSlots;
        float[] state = new float[_z.StateLength];
        var states = TensorMemory.AsSpan<float>(saved.States!).Slice(item * (_z.Blocks + 1) * _z.StateLength, (_z.Blocks + 1) * _z.StateLength);
        CpuState.Pack(final.Keys, item, state, _z.KeyDim, _z.Slots, _z.PaddedSlots);
        CpuState.Pack(final.Values, item, state.AsSpan(keys), _z.Slots, _z.ValueDim, _z.PaddedValue);
        CpuState.Transpose(state.AsSpan(0, keys), x.KeyGradient_MK, _z.PaddedKey, _z.PaddedSlots);
        CpuState.Transpose(state.AsSpan(keys), x.ValueGradient_VM, _z.PaddedSlots, _z.PaddedValue);
        for (int i = _z.Blocks - 1; i >= 0; i--)
        {
            int first = i * CpuSizes.BlockLength;
            var before = states.Slice(i * _z.StateLength, _z.StateLength);
            block.Load(i);
            block.Pack(saved.Probabilities!, first, _z.Groups, _z.Slots, x.P, _z.PaddedSlots);
            block.Pack(output, first, _z.Groups, _z.ValueDim, x.Do, _z.PaddedValue);
            CpuState.Transpose(before[..keys], x.Keys_MK, _z.PaddedKey, _z.PaddedSlots);
            CpuState.Transpose(before[keys..], x.Values_VM, _z.PaddedSlots, _z.PaddedValue);
            x.Clear();
            ThroughValues(block, x);
            ThroughSoftmax(block.Count, x);
            ThroughKeys(block, x);
            block.Unpack(x.Dq, _z.PaddedKey, results.Queries, first, _z.Groups, _z.KeyDim);
            block.Unpack(x.Dk, _z.PaddedKey, results.Keys, first, 1, _z.KeyDim);
            block.Unpack(x.Dv, _z.PaddedValue, results.Values, first, 1, _z.ValueDim);
            block.Unpack(x.Ds, _z.PaddedSlots, results.Write, first, 1, _z.Slots);
            block.Unpack(x.Dg, _z.PaddedSlots, results.LogForget, first, 1, _z.Slots);
        }

        CpuState.Transpose(x.KeyGradient_MK, state.AsSpan(0, keys), _z.PaddedSlots, _z.PaddedKey);
        CpuState.Transpose(x.ValueGradient_VM, state.AsSpan(keys), _z.PaddedValue, _z.PaddedSlots);
        CpuState.Unpack(state, results.Initial.Keys, item, _z.KeyDim, _z.Slots, _z.PaddedSlots);
        CpuState.Unpack(state.AsSpan(keys), results.Initial.Values, item, _z.Slots, _z.ValueDim, _z.PaddedValue);
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
        for (int row = 0; row < valueWidth; row += 4)
        {
            x.LanesA.AsSpan().Clear();
            for (int m = 0; m < slots; m += CpuSizes.Width)
            {
                int at = (row * slots) + m;
                var h0 = Load(ref state, at);
                var h1 = Load(ref state, at + slots);
                var h2 = Load(ref state, at + (2 * slots));
                var h3 = Load(ref state, at + (3 * slots));
                StoreTile(h0, h1, h2, h3, ref history);
                for (int t = 0; t < block.Count; t++)
                {
                    var decay = Load(ref d, (t * slots) + m);
                    var write = Load(ref s, (t * slots) + m);
                    ref float vt = ref Unsafe.Add(ref v, (t * valueWidth) + row);
                    h0 = MultiplyAdd(h0, decay, write * vt);
                    h1 = MultiplyAdd(h1, decay, write * Unsafe.Add(ref vt, 1));
                    h2 = MultiplyAdd(h2, decay, write * Unsafe.Add(ref vt, 2));
                    h3 = MultiplyAdd(h3, decay, write * Unsafe.Add(ref vt, 3));
                    StoreTile(h0, h1, h2, h3, ref Unsafe.Add(ref history, (t + 1) * Tile));
                }

                var d0 = Load(ref gradient, at);
                var d1 = Load(ref gradient, at + slots);
                var d2 = Load(ref gradient, at + (2 * slots));
                var d3 = Load(ref gradient, at + (3 * slots));
                for (int t = block.Count - 1; t >= 0; t--)
                {
                    ref float ht = ref Unsafe.Add(ref history, (t + 1) * Tile);
                    for (int g = t * groups; g < (t + 1) * groups; g++)
                    {
                        ref float dot = ref Unsafe.Add(ref dO, (g * valueWidth) + row);
                        var probability = Load(ref p, (g * slots) + m);
                        d0 = MultiplyAdd(probability, dot, d0);
                        d1 = MultiplyAdd(probability, Unsafe.Add(ref dot, 1), d1);
                        d2 = MultiplyAdd(probability, Unsafe.Add(ref dot, 2), d2);
                        d3 = MultiplyAdd(probability, Unsafe.Add(ref dot, 3), d3);
                        var sum = Load(ref dp, (g * slots) + m);
                        sum = MultiplyAdd(Load(ref ht, 0), dot, sum);
                        sum = MultiplyAdd(Load(ref ht, 8), Unsafe.Add(ref dot, 1), sum);
                        sum = MultiplyAdd(Load(ref ht, 16), Unsafe.Add(ref dot, 2), sum);
                        sum = MultiplyAdd(Load(ref ht, 24), Unsafe.Add(ref dot, 3), sum);
                        Store(sum, ref dp, (g * slots) + m);
                    }

                    ref float vt = ref Unsafe.Add(ref v, (t * valueWidth) + row);
                    var written = Load(ref ds, (t * slots) + m);
                    written = MultiplyAdd(d0, vt, written);
                    written = MultiplyAdd(d1, Unsafe.Add(ref vt, 1), written);
                    written = MultiplyAdd(d2, Unsafe.Add(ref vt, 2), written);
                    written = MultiplyAdd(d3, Unsafe.Add(ref vt, 3), written);
                    Store(written, ref ds, (t * slots) + m);
                    AddToTile(d0, d1, d2, d3, Load(ref s, (t * slots) + m), ref Unsafe.Add(ref lanes, t * Tile));

                    var decay = Load(ref d, (t * slots) + m);
                    (d0, d1, d2, d3) = (d0 * decay, d1 * decay, d2 * decay, d3 * decay);
                    ref float hb = ref Unsafe.Add(ref history, t * Tile);
                    var forgot = Load(ref dg, (t * slots) + m);
                    forgot = MultiplyAdd(d0, Load(ref hb, 0), forgot);
                    forgot = MultiplyAdd(d1, Load(ref hb, 8), forgot);
                    forgot = MultiplyAdd(d2, Load(ref hb, 16), forgot);
                    forgot = MultiplyAdd(d3, Load(ref hb, 24), forgot);
                    Store(forgot, ref dg, (t * slots) + m);
                }

                Store(d0, ref gradient, at);
                Store(d1, ref gradient, at + slots);
                Store(d2, ref gradient, at + (2 * slots));
                Store(d3, ref gradient, at + (3 * slots));
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
        for (int row = 0; row < slots; row += 4)
        {
            x.LanesA.AsSpan().Clear();
            x.LanesB.AsSpan().Clear();
            for (int lane = 0; lane < keyWidth; lane += CpuSizes.Width)
            {
                int at = (row * keyWidth) + lane;
                var h0 = Load(ref state, at);
                var h1 = Load(ref state, at + keyWidth);
                var h2 = Load(ref state, at + (2 * keyWidth));
                var h3 = Load(ref state, at + (3 * keyWidth));
                StoreTile(h0, h1, h2, h3, ref history);
                for (int t = 0; t < block.Count; t++)
                {
                    var key = Load(ref k, (t * keyWidth) + lane);
                    ref float decay = ref Unsafe.Add(ref d, (t * slots) + row);
                    ref float write = ref Unsafe.Add(ref s, (t * slots) + row);
                    h0 = MultiplyAdd(h0, decay, key * write);
                    h1 = MultiplyAdd(h1, Unsafe.Add(ref decay, 1), key * Unsafe.Add(ref write, 1));
                    h2 = MultiplyAdd(h2, Unsafe.Add(ref decay, 2), key * Unsafe.Add(ref write, 2));
                    h3 = MultiplyAdd(h3, Unsafe.Add(ref decay, 3), key * Unsafe.Add(ref write, 3));
                    StoreTile(h0, h1, h2, h3, ref Unsafe.Add(ref history, (t + 1) * Tile));
                }

                var d0 = Load(ref gradient, at);
                var d1 = Load(ref gradient, at + keyWidth);
                var d2 = Load(ref gradient, at + (2 * keyWidth));
                var d3 = Load(ref gradient, at + (3 * keyWidth));
                for (int t = block.Count - 1; t >= 0; t--)
                {
                    ref float ht = ref Unsafe.Add(ref history, (t + 1) * Tile);
                    for (int g = t * groups; g < (t + 1) * groups; g++)
                    {
                        ref float dzt = ref Unsafe.Add(ref dz, (g * slots) + row);
                        var query = Load(ref q, (g * keyWidth) + lane);
                        d0 = MultiplyAdd(query, dzt, d0);
                        d1 = MultiplyAdd(query, Unsafe.Add(ref dzt, 1), d1);
                        d2 = MultiplyAdd(query, Unsafe.Add(ref dzt, 2), d2);
                        d3 = MultiplyAdd(query, Unsafe.Add(ref dzt, 3), d3);
                        var sum = Load(ref dq, (g * keyWidth) + lane);
                        sum = MultiplyAdd(Load(ref ht, 0), dzt, sum);
                        sum = MultiplyAdd(Load(ref ht, 8), Unsafe.Add(ref dzt, 1), sum);
                        sum = MultiplyAdd(Load(ref ht, 16), Unsafe.Add(ref dzt, 2), sum);
                        sum = MultiplyAdd(Load(ref ht, 24), Unsafe.Add(ref dzt, 3), sum);
                        Store(sum, ref dq, (g * keyWidth) + lane);
                    }

                    ref float write = ref Unsafe.Add(ref s, (t * slots) + row);
                    var keyGradient = Load(ref dk, (t * keyWidth) + lane);
                    keyGradient = MultiplyAdd(d0, write, keyGradient);
                    keyGradient = MultiplyAdd(d1, Unsafe.Add(ref write, 1), keyGradient);
                    keyGradient = MultiplyAdd(d2, Unsafe.Add(ref write, 2), keyGradient);
                    keyGradient = MultiplyAdd(d3, Unsafe.Add(ref write, 3), keyGradient);
                    Store(keyGradient, ref dk, (t * keyWidth) + lane);
                    AddToTile(d0, d1, d2, d3, Load(ref k, (t * keyWidth) + lane), ref Unsafe.Add(ref written, t * Tile));

                    ref float decay = ref Unsafe.Add(ref d, (t * slots) + row);
                    d0 *= decay;
                    d1 *= Unsafe.Add(ref decay, 1);
                    d2 *= Unsafe.Add(ref decay, 2);
                    d3 *= Unsafe.Add(ref decay, 3);
                    ref float hb = ref Unsafe.Add(ref history, t * Tile);
                    ref float forgotten = ref Unsafe.Add(ref forgot, t * Tile);
                    Store(MultiplyAdd(d0, Load(ref hb, 0), Load(ref forgotten, 0)), ref forgotten, 0);
                    Store(MultiplyAdd(d1, Load(ref hb, 8), Load(ref forgotten, 8)), ref forgotten, 8);
                    Store(MultiplyAdd(d2, Load(ref hb, 16), Load(ref forgotten, 16)), ref forgotten, 16);
                    Store(MultiplyAdd(d3, Load(ref hb, 24), Load(ref forgotten, 24)), ref forgotten, 24);
                }

                Store(d0, ref gradient, at);
                Store(d1, ref gradient, at + keyWidth);
                Store(d2, ref gradient, at + (2 * keyWidth));
                Store(d3, ref gradient, at + (3 * keyWidth));
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreTile(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, ref float tile)
    {
        Store(a, ref tile, 0);
        Store(b, ref tile, 8);
        Store(c, ref tile, 16);
        Store(d, ref tile, 24);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddToTile(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, Vector256<float> factor, ref float tile)
    {
        Store(MultiplyAdd(a, factor, Load(ref tile, 0)), ref tile, 0);
        Store(MultiplyAdd(b, factor, Load(ref tile, 8)), ref tile, 8);
        Store(MultiplyAdd(c, factor, Load(ref tile, 16)), ref tile, 16);
        Store(MultiplyAdd(d, factor, Load(ref tile, 24)), ref tile, 24);
    }

    /// <summary>One thread's buffers; D is carried from block to block, the rest belongs to one block.</summary>
    private sealed class Scratch(CpuSizes z)
    {
        internal float[] KeyGradient_MK { get; } = new float[z.PaddedSlots * z.PaddedKey];

        internal float[] ValueGradient_VM { get; } = new float[z.PaddedValue * z.PaddedSlots];

        internal float[] Keys_MK { get; } = new float[z.PaddedSlots * z.PaddedKey];

        internal float[] Values_VM { get; } = new float[z.PaddedValue * z.PaddedSlots];

        /// <summary>A tile of the state before the block and after each of its tokens.</summary>
        internal float[] History { get; } = new float[(CpuSizes.BlockLength + 1) * Tile];

        /// <summary>For each token four sums over rows of a tile, still spread over the lanes.</summary>
        internal float[] LanesA { get; } = new float[CpuSizes.BlockLength * Tile];

        internal float[] LanesB { get; } = new float[CpuSizes.BlockLength * Tile];

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
