using System.Runtime.Intrinsics;
using T2R.Interop;

namespace T2R.Ops.AdamW;

/// <summary>The step on the CPU, on all cores: each block of 256 passes once through the first-level cache. The same bits as <see cref="CudaAdamW"/>.</summary>
internal static class CpuAdamW
{
    private const int Vectors = EightBitCode.Block / 8;
    private const int BlocksAtOnce = 128;
    private static readonly Vector256<uint> Lanes = Vector256.Create(0u, 1, 2, 3, 4, 5, 6, 7);

    /// <summary>Steps a range.</summary>
    /// <param name="range">Of a weight with at most 2³¹ − 1 elements.</param>
    /// <exception cref="OverflowException">The weight has more.</exception>
    public static void Run(AdamWRange range)
    {
        int first = checked((int)range.First), count = checked((int)range.Count);
        int blocks = (count + EightBitCode.Block - 1) / EightBitCode.Block;
        TorchThreads.ForEach((blocks + BlocksAtOnce - 1) / BlocksAtOnce, part =>
        {
            int end = Math.Min(blocks, (part + 1) * BlocksAtOnce);
            if (range.State.Format == MomentFormat.EightBit)
            {
                EightBit(range, part * BlocksAtOnce, end, first, count);
            }
            else
            {
                Plain(range, part * BlocksAtOnce, end, first, count);
            }
        });
    }

    private static void Plain(AdamWRange range, int begin, int end, int first, int total)
    {
        var (weight, gradient, state, step) = (range.Weight, range.Gradient, range.State, range.Step);
        Span<Vector256<float>> w = stackalloc Vector256<float>[Vectors], g = stackalloc Vector256<float>[Vectors];
        Span<Vector256<float>> m = stackalloc Vector256<float>[Vectors], v = stackalloc Vector256<float>[Vectors];
        Span<Vector256<uint>> random = stackalloc Vector256<uint>[Vectors], hash = stackalloc Vector256<uint>[Vectors];
        CpuNumbers weights = new(weight, first), gradients = new(gradient, first), means = new(state.Mean, 0), squares = new(state.Spread, 0);
        var stepping = state.Master is null ? weights : new(state.Master, 0);
        for (int block = begin; block < end; block++)
        {
            int start = block * EightBitCode.Block, count = Math.Min(EightBitCode.Block, total - start);
            stepping.Load(start, count, w);
            gradients.Load(start, count, g);
            means.Load(start, count, m);
            squares.Load(start, count, v);
            Move(w, g, m, v, step);
            Hash(first + start, step.Key, hash);
            for (int i = 0; i < Vectors; i++)
            {
                random[i] = RandomBits.ForWeight(hash[i]);
            }

            stepping.StoreByChance(start, count, w, random);
            if (state.Master is not null)
            {
                weights.StoreNearest(start, count, w);
            }

            for (int i = 0; i < Vectors; i++)
            {
                random[i] = RandomBits.ForMean(hash[i]);
            }

            means.StoreByChance(start, count, m, random);
            for (int i = 0; i < Vectors; i++)
            {
                random[i] = RandomBits.ForSpread(hash[i]);
            }

            squares.StoreByChance(start, count, v, random);
        }
    }

    private static void EightBit(AdamWRange range, int begin, int end, int first, int total)
    {
        var (weight, gradient, state, step) = (range.Weight, range.Gradient, range.State, range.Step);
        Span<Vector256<float>> w = stackalloc Vector256<float>[Vectors], g = stackalloc Vector256<float>[Vectors];
        Span<Vector256<float>> m = stackalloc Vector256<float>[Vectors], v = stackalloc Vector256<float>[Vectors];
        Span<Vector256<uint>> random = stackalloc Vector256<uint>[Vectors], hash = stackalloc Vector256<uint>[Vectors];
        CpuNumbers weights = new(weight, first), gradients = new(gradient, first);
        CpuEightBit moments = new(state);
        for (int block = begin; block < end; block++)
        {
            int start = block * EightBitCode.Block, count = Math.Min(EightBitCode.Block, total - start);
            weights.Load(start, count, w);
            gradients.Load(start, count, g);
            moments.Load(block, count, m, v);
            Move(w, g, m, v, step);
            Hash(first + start, step.Key, hash);
            for (int i = 0; i < Vectors; i++)
            {
                random[i] = RandomBits.ForWeight(hash[i]);
            }

            weights.StoreByChance(start, count, w, random);
            moments.Store(block, count, m, v, hash);
        }
    }

    private static void Hash(int start, ulong key, Span<Vector256<uint>> hash)
    {
        for (int i = 0; i < Vectors; i++)
        {
            hash[i] = RandomBits.Hash(Lanes + Vector256.Create((uint)(start + (8 * i))), key);
        }
    }

    private static void Move(Span<Vector256<float>> w, ReadOnlySpan<Vector256<float>> g, Span<Vector256<float>> m, Span<Vector256<float>> v, in AdamWStep step)
    {
        var (beta1, fresh1, beta2, fresh2) = (Vector256.Create(step.Beta1), Vector256.Create(step.Fresh1), Vector256.Create(step.Beta2), Vector256.Create(step.Fresh2));
        var (correction1, correction2, epsilon) = (Vector256.Create(step.Correction1), Vector256.Create(step.Correction2), Vector256.Create(step.Epsilon));
        var (rate, decay, scale, bound) = (Vector256.Create(step.Rate), Vector256.Create(step.Decay), Vector256.Create(step.GradientScale), Vector256.Create(step.Bound));
        for (int i = 0; i < w.Length; i++)
        {
            var gradient = g[i] * scale;
            m[i] = (beta1 * m[i]) + (fresh1 * gradient);
            v[i] = (beta2 * v[i]) + (fresh2 * gradient * gradient);
            var spread = Vector256.Sqrt(v[i] * correction2) + epsilon;
            var ratio = m[i] * correction1 / spread;
            ratio = Vector256.ConditionalSelect(Vector256.Equals(spread, Vector256<float>.Zero), Vector256<float>.Zero, ratio);
            ratio = Vector256.ConditionalSelect(Vector256.GreaterThan(ratio, bound), bound, ratio);
            ratio = Vector256.ConditionalSelect(Vector256.LessThan(ratio, -bound), -bound, ratio);
            w[i] -= (decay * w[i]) + (rate * ratio);
        }
    }
}
