// One step of AdamW in one pass over memory, for several ranges of weights at once; the arithmetic is AdamWStep.cs's and CpuAdamW.cs's, to the bit: every operation is
// rounded by itself (the _rn intrinsics are never fused), and random bits follow from key and place.
//
// A warp does 256 neighbours, eight a lane: a block of the eight-bit moments, whose largest magnitude the warp finds without shared memory.

#include "Ops/AdamW/Formats.cuh"

constexpr int Threads = 256, Warps = Threads / 32, Turns = 4, MostRanges = 16;

// CudaAdamW.cs
struct Arguments
{
    Range ranges[MostRanges];
};

// Whether no step of rounded_root and rounded_quotient leaves the normal numbers, given that the constants are `are_ordinary`.
__device__ __forceinline__ bool are_ordinary(float m, float v)
{
    return (fabsf(m) >= 0x1p-75f) & (fabsf(m) <= 0x1p40f) & (v >= 0x1p-90f) & (v <= 0x1p60f);
}

__device__ __forceinline__ bool are_ordinary(const AdamWStep& step) { return step.correction1 <= 0x1p24f && step.correction2 <= 0x1p24f && step.epsilon <= 0x1p40f; }

// m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
__device__ __forceinline__ void ratios(float (&ratio)[8], const float (&m)[8], const float (&v)[8], const AdamWStep& step, bool ordinary)
{
    if (ordinary)
    {
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            float spread = __fadd_rn(rounded_root(__fmul_rn(v[i], step.correction2)), step.epsilon);
            ratio[i] = rounded_quotient(__fmul_rn(m[i], step.correction1), spread);
        }
    }
    else
    {
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            float spread = __fadd_rn(__fsqrt_rn(__fmul_rn(v[i], step.correction2)), step.epsilon);
            ratio[i] = spread == 0.0f ? 0.0f : __fdiv_rn(__fmul_rn(m[i], step.correction1), spread);
        }
    }
}

template <class Weight, class Gradient, class Moments>
__device__ __forceinline__ void move(const Range& range, const AdamWStep& step, const Place& place, bool aligned)
{
    Weight weight;
    Eight<Gradient> gradient;
    Moments moments;
    const Gradient* from = (const Gradient*)range.gradient + place.at;
    bool whole = aligned && place.left >= 8;
    if (whole)
    {
        weight.fetch(range, place);
        read(gradient, from);
        moments.fetch(range, place);
    }
    else
    {
        weight.fetch(range, place, place.left);
        read(gradient, from, place.left);
        moments.fetch(range, place, place.left);
    }

    float w[8], g[8], m[8], v[8];
    weight.decode(w);
    widen(g, gradient);
    moments.decode(m, v);
    bool ordinary = are_ordinary(step);
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        float scaled = __fmul_rn(g[i], step.gradient_scale);
        m[i] = __fadd_rn(__fmul_rn(step.beta1, m[i]), __fmul_rn(step.fresh1, scaled));
        v[i] = __fadd_rn(__fmul_rn(step.beta2, v[i]), __fmul_rn(__fmul_rn(step.fresh2, scaled), scaled));
        ordinary &= are_ordinary(m[i], v[i]);
    }

    float ratio[8];
    ratios(ratio, m, v, step, ordinary);
    unsigned hash[8], random[8], start = start_of((unsigned)(range.first + place.at), step.key);
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        float bounded = ratio[i] > step.bound ? step.bound : ratio[i];
        bounded = bounded < -step.bound ? -step.bound : bounded;
        w[i] = __fsub_rn(w[i], __fadd_rn(__fmul_rn(step.decay, w[i]), __fmul_rn(step.rate, bounded)));
        hash[i] = hash_of(start, i, step.key);
        random[i] = for_weight(hash[i]);
    }

    weight.encode(w, random);
    moments.encode(range, place, m, v, hash, ordinary);
    if (whole)
    {
        weight.store(range, place);
        moments.store(range, place);
    }
    else
    {
        weight.store(range, place, place.left);
        moments.store(range, place, place.left);
    }
}

template <class Weight, class Gradient, class Moments>
__device__ __forceinline__ void move_all(const Arguments& a)
{
    int r = 0;
#pragma unroll
    for (int half = MostRanges / 2; half > 0; half /= 2)
    {
        r += a.ranges[r + half].start <= (int)blockIdx.x ? half : 0;
    }

    const Range& range = a.ranges[r];
    AdamWStep step = range.step;
    bool aligned = (((unsigned long long)range.weight | (unsigned long long)range.gradient | (unsigned long long)range.mean | (unsigned long long)range.spread
        | (unsigned long long)range.master) & 15) == 0;
    long long block = (long long)((int)blockIdx.x - range.start) * Turns * Warps + threadIdx.x / 32;
#pragma unroll 1
    for (int turn = 0; turn < Turns && block * 256 < range.count; turn++, block += Warps)
    {
        long long at = block * 256 + threadIdx.x % 32 * 8;
        move<Weight, Gradient, Moments>(range, step, Place{block, at, range.count - at}, aligned);
    }
}

#define ADAMW(NAME, WEIGHT, GRADIENT, MOMENTS) \
    extern "C" __global__ void __launch_bounds__(Threads) NAME(const Arguments a) { move_all<WEIGHT, GRADIENT, MOMENTS>(a); }

ADAMW(adamw_f32_f32_f32, Own<float>, float, PlainMoments<float>)
ADAMW(adamw_f32_bf16_f32, Own<float>, bf16, PlainMoments<float>)
ADAMW(adamw_bf16_f32_f32, Own<bf16>, float, PlainMoments<float>)
ADAMW(adamw_bf16_bf16_f32, Own<bf16>, bf16, PlainMoments<float>)
ADAMW(adamw_master_f32_f32, Mastered, float, PlainMoments<float>)
ADAMW(adamw_master_bf16_f32, Mastered, bf16, PlainMoments<float>)
ADAMW(adamw_f32_f32_bf16, Own<float>, float, PlainMoments<bf16>)
ADAMW(adamw_f32_bf16_bf16, Own<float>, bf16, PlainMoments<bf16>)
ADAMW(adamw_bf16_f32_bf16, Own<bf16>, float, PlainMoments<bf16>)
ADAMW(adamw_bf16_bf16_bf16, Own<bf16>, bf16, PlainMoments<bf16>)
ADAMW(adamw_f32_f32_8bit, Own<float>, float, EightBitMoments)
ADAMW(adamw_f32_bf16_8bit, Own<float>, bf16, EightBitMoments)
ADAMW(adamw_bf16_f32_8bit, Own<bf16>, float, EightBitMoments)
ADAMW(adamw_bf16_bf16_8bit, Own<bf16>, bf16, EightBitMoments)
