// What a step reads and writes of a range of elements: the weight and the moments, by format. `fetch` reads, `decode` looks at what was read, `encode` and `store` are the
// way back.

#include "Ops/AdamW/Eight.cuh"
#include "Ops/AdamW/Codes.cuh"
#include "Ops/AdamW/Rounded.cuh"

// AdamWStep.cs
struct AdamWStep
{
    float beta1, fresh1, beta2, fresh2, correction1, correction2, epsilon, rate, decay, gradient_scale, bound;
    unsigned long long key;
};

// CudaAdamW.cs
struct Range
{
    void* weight;
    const void* gradient;
    void *mean, *spread;
    float *mean_scale, *spread_scale, *master;
    long long count, first; // how many step, and the place of the first in the whole weight, a multiple of 256
    AdamWStep step;
    int start; // its first block in the grid, in order; beyond all blocks where there is no range
};

// A lane's eight elements of a range.
struct Place
{
    long long block, at, left;
};

__device__ __forceinline__ void widen(float (&x)[8], const Eight<float>& from)
{
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        x[i] = __uint_as_float(from.word[i]);
    }
}

__device__ __forceinline__ void widen(float (&x)[8], const Eight<bf16>& from)
{
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        x[i] = __uint_as_float(i % 2 == 0 ? from.word[i / 2] << 16 : from.word[i / 2] & 0xFFFF0000u);
    }
}

// Into a number's own type; bf16 by chance, with 16 random bits each.

__device__ __forceinline__ void narrow(Eight<float>& to, const float (&x)[8], const unsigned (&)[8])
{
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        to.word[i] = __float_as_uint(x[i]);
    }
}

__device__ __forceinline__ void narrow(Eight<bf16>& to, const float (&x)[8], const unsigned (&random)[8])
{
#pragma unroll
    for (int i = 0; i < 8; i += 2)
    {
        to.word[i / 2] = upper_halves(by_chance(x[i], random[i]), by_chance(x[i + 1], random[i + 1]));
    }
}

template <class T>
struct PlainMoments
{
    Eight<T> mean, spread;

    template <class... Left>
    __device__ __forceinline__ void fetch(const Range& range, const Place& place, Left... left)
    {
        read(mean, (const T*)range.mean + place.at, left...);
        read(spread, (const T*)range.spread + place.at, left...);
    }

    __device__ __forceinline__ void decode(float (&m)[8], float (&v)[8]) const
    {
        widen(m, mean);
        widen(v, spread);
    }

    __device__ __forceinline__ void encode(const Range&, const Place&, const float (&m)[8], const float (&v)[8], const unsigned (&hash)[8], bool)
    {
        unsigned random[8];
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            random[i] = for_mean(hash[i]);
        }

        narrow(mean, m, random);
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            random[i] = for_spread(hash[i]);
        }

        narrow(spread, v, random);
    }

    template <class... Left>
    __device__ __forceinline__ void store(const Range& range, const Place& place, Left... left) const
    {
        write((T*)range.mean + place.at, mean, left...);
        write((T*)range.spread + place.at, spread, left...);
    }
};

struct EightBitMoments
{
    Eight<byte> mean, spread;
    float mean_scale, spread_scale;

    template <class... Left>
    __device__ __forceinline__ void fetch(const Range& range, const Place& place, Left... left)
    {
        read(mean, (const byte*)range.mean + place.at, left...);
        read(spread, (const byte*)range.spread + place.at, left...);
        mean_scale = range.mean_scale[place.block];
        spread_scale = range.spread_scale[place.block];
    }

    __device__ __forceinline__ void decode(float (&m)[8], float (&v)[8]) const
    {
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            m[i] = __fmul_rn(decode_mean(upper_byte(mean, i)), mean_scale);
            float root = __fmul_rn(decode_spread(upper_byte(spread, i)), spread_scale);
            v[i] = __fmul_rn(root, root);
        }
    }

    __device__ __forceinline__ void encode(
        const Range& range, const Place& place, const float (&m)[8], const float (&v)[8], const unsigned (&hash)[8], bool ordinary)
    {
        float root[8], largest_mean = 0.0f, largest_spread = 0.0f;
        roots(root, v, ordinary);
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            largest_mean = fmaxf(largest_mean, fabsf(m[i]));
            largest_spread = fmaxf(largest_spread, root[i]);
        }

        largest_mean = largest_of_warp(largest_mean);
        largest_spread = largest_of_warp(largest_spread);
        float over_mean = over(largest_mean), over_spread = over(largest_spread);
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            unsigned m8 = encode_mean(__fmul_rn(m[i], over_mean), for_mean(hash[i])) << (i % 4 * 8);
            unsigned v8 = encode_spread(__fmul_rn(root[i], over_spread), for_spread(hash[i])) << (i % 4 * 8);
            mean.word[i / 4] = i % 4 == 0 ? m8 : mean.word[i / 4] | m8;
            spread.word[i / 4] = i % 4 == 0 ? v8 : spread.word[i / 4] | v8;
        }

        mean_scale = over_mean == 0.0f ? 0.0f : largest_mean;
        spread_scale = over_spread == 0.0f ? 0.0f : largest_spread;
    }

    template <class... Left>
    __device__ __forceinline__ void store(const Range& range, const Place& place, Left... left) const
    {
        write((byte*)range.mean + place.at, mean, left...);
        write((byte*)range.spread + place.at, spread, left...);
        if (threadIdx.x % 32 == 0)
        {
            range.mean_scale[place.block] = mean_scale;
            range.spread_scale[place.block] = spread_scale;
        }
    }

    __device__ __forceinline__ static unsigned upper_byte(const Eight<byte>& x, int i) { return __byte_perm(x.word[i / 4], 0u, i % 4 * 0x1000 + 0x0444); }

    __device__ __forceinline__ static void roots(float (&root)[8], const float (&v)[8], bool ordinary)
    {
        if (ordinary)
        {
#pragma unroll
            for (int i = 0; i < 8; i++)
            {
                root[i] = rounded_root(v[i]);
            }
        }
        else
        {
#pragma unroll
            for (int i = 0; i < 8; i++)
            {
                root[i] = __fsqrt_rn(v[i]);
            }
        }
    }

    __device__ __forceinline__ static float over(float scale) { return scale < 7.8886090522101181e-31f ? 0.0f : __fdiv_rn(1.0f, scale); }

    __device__ __forceinline__ static float largest_of_warp(float x)
    {
#pragma unroll
        for (int distance = 16; distance > 0; distance /= 2)
        {
            x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, distance));
        }

        return x;
    }
};

// The weight itself steps, or an fp32 master whose nearest it becomes.

template <class T>
struct Own
{
    Eight<T> weight;

    template <class... Left>
    __device__ __forceinline__ void fetch(const Range& range, const Place& place, Left... left) { read(weight, (const T*)range.weight + place.at, left...); }

    __device__ __forceinline__ void decode(float (&w)[8]) const { widen(w, weight); }

    __device__ __forceinline__ void encode(const float (&w)[8], const unsigned (&random)[8]) { narrow(weight, w, random); }

    template <class... Left>
    __device__ __forceinline__ void store(const Range& range, const Place& place, Left... left) const { write((T*)range.weight + place.at, weight, left...); }
};

struct Mastered
{
    Eight<float> master;

    template <class... Left>
    __device__ __forceinline__ void fetch(const Range& range, const Place& place, Left... left) { read(master, range.master + place.at, left...); }

    __device__ __forceinline__ void decode(float (&w)[8]) const { widen(w, master); }

    __device__ __forceinline__ void encode(const float (&w)[8], const unsigned (&random)[8]) { narrow(master, w, random); }

    template <class... Left>
    __device__ __forceinline__ void store(const Range& range, const Place& place, Left... left) const
    {
        Eight<bf16> weight;
#pragma unroll
        for (int i = 0; i < 8; i += 2)
        {
            weight.word[i / 2] = upper_halves(nearest(__uint_as_float(master.word[i])), nearest(__uint_as_float(master.word[i + 1])));
        }

        write(range.master + place.at, master, left...);
        write((bf16*)range.weight + place.at, weight, left...);
    }
};
