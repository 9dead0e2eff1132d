// One step of AdamW in one pass over memory; the arithmetic is AdamWStep.cs's and CpuAdamW.cs's, to the bit: every operation is rounded by itself (the _rn
// intrinsics are never fused), and random bits follow from key and place.
//
// A warp does 256 neighbours, eight a lane: a block of the eight-bit moments, whose largest magnitude the warp finds without shared memory.

typedef unsigned short bf16;
typedef unsigned char byte;

struct Step
{
    float beta1, fresh1, beta2, fresh2, correction1, correction2, epsilon, rate, decay, gradientScale, bound;
    unsigned key0, key1;
};

// Random bits: RandomBits.cs

__device__ __forceinline__ unsigned hash_of(unsigned place, const Step& step)
{
    unsigned x = place ^ step.key0;
    x = (x ^ (x >> 16)) * 0x21f0aaadu;
    x ^= step.key1;
    x = (x ^ (x >> 15)) * 0x735a2d97u;
    return x ^ (x >> 15);
}

__device__ __forceinline__ unsigned for_weight(unsigned hash) { return hash >> 16; }
__device__ __forceinline__ unsigned for_mean(unsigned hash) { return hash & 0xFFFFu; }
__device__ __forceinline__ unsigned for_spread(unsigned hash) { return (hash * 0x9E3779B9u) >> 16; }

// bf16: BFloat16Code.cs

__device__ __forceinline__ float widen(unsigned half) { return __uint_as_float(half << 16); }

__device__ __forceinline__ unsigned quiet(unsigned bits) { return (bits & 0x7FFFFFFFu) > 0x7F800000u ? bits | 0x00400000u : bits; }

__device__ __forceinline__ unsigned by_chance(float x, unsigned random)
{
    unsigned bits = __float_as_uint(x);
    return ((bits & 0x7FFFFFFFu) < 0x7F800000u ? bits + random : quiet(bits)) >> 16;
}

__device__ __forceinline__ unsigned nearest(float x)
{
    unsigned bits = __float_as_uint(x);
    return ((bits & 0x7FFFFFFFu) < 0x7F800000u ? bits + 0x7FFFu + ((bits >> 16) & 1u) : quiet(bits)) >> 16;
}

// Eight bits: EightBitCode.cs

constexpr unsigned mean_shift = 20, spread_shift = 19;
constexpr unsigned mean_origin = (0x3F800000u >> mean_shift) - 127, spread_origin = (0x3F800000u >> spread_shift) - 255;
constexpr unsigned smallest_mean = (mean_origin + 1) << mean_shift, smallest_spread = (spread_origin + 1) << spread_shift;

__device__ __forceinline__ float decode_mean(unsigned code)
{
    unsigned magnitude = code & 127u;
    return __uint_as_float(magnitude == 0 ? 0u : ((magnitude + mean_origin) << mean_shift) | ((code & 128u) << 24));
}

__device__ __forceinline__ float decode_spread(unsigned code) { return __uint_as_float(code == 0 ? 0u : (code + spread_origin) << spread_shift); }

__device__ __forceinline__ float at_most_one(float x) { return x > 1.0f ? 1.0f : x; }

__device__ __forceinline__ unsigned encode_mean(float scaled, unsigned random)
{
    float magnitude = at_most_one(__uint_as_float(__float_as_uint(scaled) & 0x7FFFFFFFu));
    unsigned bits = __float_as_uint(magnitude);
    unsigned code;
    if (bits < smallest_mean)
    {
        code = __fmul_rn((float)(int)random, __fmul_rn(__uint_as_float(smallest_mean), 1.0f / 65536.0f)) < magnitude ? 1u : 0u;
    }
    else
    {
        code = ((bits + ((random << 4) | (random >> 12))) >> mean_shift) - mean_origin;
    }

    return code == 0 ? 0u : code | ((__float_as_uint(scaled) >> 24) & 128u);
}

__device__ __forceinline__ unsigned encode_spread(float scaled, unsigned random)
{
    float magnitude = at_most_one(scaled);
    unsigned bits = __float_as_uint(magnitude);
    return bits < smallest_spread ? (magnitude > 0.0f ? 1u : 0u) : ((bits + ((random << 3) | (random >> 13))) >> spread_shift) - spread_origin;
}

// Eight neighbours at once where the addresses allow it; `left` says how many there still are, which may be none.

__device__ __forceinline__ bool aligned(const void* p, unsigned bytes) { return ((unsigned long long)p & (bytes - 1)) == 0; }

__device__ __forceinline__ void load(const float* p, long long left, float (&x)[8])
{
    if (left >= 8 && aligned(p, 16))
    {
        float4 a = ((const float4*)p)[0], b = ((const float4*)p)[1];
        x[0] = a.x; x[1] = a.y; x[2] = a.z; x[3] = a.w; x[4] = b.x; x[5] = b.y; x[6] = b.z; x[7] = b.w;
    }
    else
    {
        #pragma unroll
        for (int i = 0; i < 8; i++) x[i] = i < left ? p[i] : 0.0f;
    }
}

__device__ __forceinline__ void load(const bf16* p, long long left, float (&x)[8])
{
    if (left >= 8 && aligned(p, 16))
    {
        uint4 a = *(const uint4*)p;
        x[0] = widen(a.x & 0xFFFFu); x[1] = widen(a.x >> 16); x[2] = widen(a.y & 0xFFFFu); x[3] = widen(a.y >> 16);
        x[4] = widen(a.z & 0xFFFFu); x[5] = widen(a.z >> 16); x[6] = widen(a.w & 0xFFFFu); x[7] = widen(a.w >> 16);
    }
    else
    {
        #pragma unroll
        for (int i = 0; i < 8; i++) x[i] = i < left ? widen(p[i]) : 0.0f;
    }
}

__device__ __forceinline__ void load(const byte* p, long long left, unsigned (&x)[8])
{
    if (left >= 8 && aligned(p, 8))
    {
        uint2 a = *(const uint2*)p;
        #pragma unroll
        for (int i = 0; i < 4; i++)
        {
            x[i] = (a.x >> (8 * i)) & 0xFFu;
            x[i + 4] = (a.y >> (8 * i)) & 0xFFu;
        }
    }
    else
    {
        #pragma unroll
        for (int i = 0; i < 8; i++) x[i] = i < left ? p[i] : 0u;
    }
}

__device__ __forceinline__ void store(float* p, long long left, const float (&x)[8])
{
    if (left >= 8 && aligned(p, 16))
    {
        ((float4*)p)[0] = float4{x[0], x[1], x[2], x[3]};
        ((float4*)p)[1] = float4{x[4], x[5], x[6], x[7]};
    }
    else
    {
        #pragma unroll
        for (int i = 0; i < 8; i++) if (i < left) p[i] = x[i];
    }
}

__device__ __forceinline__ void store(bf16* p, long long left, const unsigned (&x)[8])
{
    if (left >= 8 && aligned(p, 16))
    {
        *(uint4*)p = uint4{x[0] | (x[1] << 16), x[2] | (x[3] << 16), x[4] | (x[5] << 16), x[6] | (x[7] << 16)};
    }
    else
    {
        #pragma unroll
        for (int i = 0; i < 8; i++) if (i < left) p[i] = (bf16)x[i];
    }
}

__device__ __forceinline__ void store(byte* p, long long left, const unsigned (&x)[8])
{
    if (left >= 8 && aligned(p, 8))
    {
        *(uint2*)p = uint2{x[0] | (x[1] << 8) | (x[2] << 16) | (x[3] << 24), x[4] | (x[5] << 8) | (x[6] << 16) | (x[7] << 24)};
    }
    else
    {
        #pragma unroll
        for (int i = 0; i < 8; i++) if (i < left) p[i] = (byte)x[i];
    }
}

__device__ __forceinline__ void store_by_chance(float* p, long long left, const float (&x)[8], const unsigned (&)[8]) { store(p, left, x); }

__device__ __forceinline__ void store_by_chance(bf16* p, long long left, const float (&x)[8], const unsigned (&random)[8])
{
    unsigned half[8];
    #pragma unroll
    for (int i = 0; i < 8; i++) half[i] = by_chance(x[i], random[i]);
    store(p, left, half);
}

// The moments, by format. `at` is the lane's first element, `block` the warp's block.

template <class T>
struct PlainMoments
{
    T* mean;
    T* spread;

    __device__ __forceinline__ PlainMoments(void* mean, void* spread, float*, float*) : mean((T*)mean), spread((T*)spread) {}

    __device__ __forceinline__ void read(long long, long long at, long long left, float (&m)[8], float (&v)[8]) const
    {
        load(mean + at, left, m);
        load(spread + at, left, v);
    }

    __device__ __forceinline__ void write(long long, long long at, long long left, const float (&m)[8], const float (&v)[8], const unsigned (&hash)[8]) const
    {
        unsigned random[8];
        #pragma unroll
        for (int i = 0; i < 8; i++) random[i] = for_mean(hash[i]);
        store_by_chance(mean + at, left, m, random);
        #pragma unroll
        for (int i = 0; i < 8; i++) random[i] = for_spread(hash[i]);
        store_by_chance(spread + at, left, v, random);
    }
};

struct EightBitMoments
{
    byte* mean;
    byte* spread;
    float* mean_scale;
    float* spread_scale;

    __device__ __forceinline__ EightBitMoments(void* mean, void* spread, float* mean_scale, float* spread_scale)
        : mean((byte*)mean), spread((byte*)spread), mean_scale(mean_scale), spread_scale(spread_scale) {}

    __device__ __forceinline__ void read(long long block, long long at, long long left, float (&m)[8], float (&v)[8]) const
    {
        unsigned means[8], spreads[8];
        load(mean + at, left, means);
        load(spread + at, left, spreads);
        float of_mean = mean_scale[block], of_spread = spread_scale[block];
        #pragma unroll
        for (int i = 0; i < 8; i++)
        {
            m[i] = __fmul_rn(decode_mean(means[i]), of_mean);
            float root = __fmul_rn(decode_spread(spreads[i]), of_spread);
            v[i] = __fmul_rn(root, root);
        }
    }

    __device__ __forceinline__ void write(long long block, long long at, long long left, const float (&m)[8], const float (&v)[8], const unsigned (&hash)[8]) const
    {
        float root[8], largest_mean = 0.0f, largest_spread = 0.0f;
        #pragma unroll
        for (int i = 0; i < 8; i++)
        {
            root[i] = __fsqrt_rn(v[i]);
            float magnitude = __uint_as_float(__float_as_uint(m[i]) & 0x7FFFFFFFu);
            largest_mean = magnitude > largest_mean ? magnitude : largest_mean;
            largest_spread = root[i] > largest_spread ? root[i] : largest_spread;
        }

        largest_mean = largest_of_warp(largest_mean);
        largest_spread = largest_of_warp(largest_spread);
        float over_mean = over(largest_mean), over_spread = over(largest_spread);
        unsigned means[8], spreads[8];
        #pragma unroll
        for (int i = 0; i < 8; i++)
        {
            means[i] = encode_mean(__fmul_rn(m[i], over_mean), for_mean(hash[i]));
            spreads[i] = encode_spread(__fmul_rn(root[i], over_spread), for_spread(hash[i]));
        }

        store(mean + at, left, means);
        store(spread + at, left, spreads);
        if ((threadIdx.x & 31) == 0)
        {
            mean_scale[block] = over_mean == 0.0f ? 0.0f : largest_mean;
            spread_scale[block] = over_spread == 0.0f ? 0.0f : largest_spread;
        }
    }

    __device__ __forceinline__ static float over(float scale) { return scale < 7.8886090522101181e-31f ? 0.0f : __fdiv_rn(1.0f, scale); }

    __device__ __forceinline__ static float largest_of_warp(float x)
    {
        #pragma unroll
        for (int distance = 16; distance > 0; distance >>= 1)
        {
            float other = __shfl_xor_sync(0xFFFFFFFFu, x, distance);
            x = other > x ? other : x;
        }

        return x;
    }
};

// The weight itself steps, or an fp32 master whose nearest it becomes.

template <class T>
struct Own
{
    T* weight;

    __device__ __forceinline__ Own(void* weight, float*) : weight((T*)weight) {}

    __device__ __forceinline__ void read(long long at, long long left, float (&w)[8]) const { load(weight + at, left, w); }

    __device__ __forceinline__ void write(long long at, long long left, const float (&w)[8], const unsigned (&random)[8]) const { store_by_chance(weight + at, left, w, random); }
};

struct Mastered
{
    bf16* weight;
    float* master;

    __device__ __forceinline__ Mastered(void* weight, float* master) : weight((bf16*)weight), master(master) {}

    __device__ __forceinline__ void read(long long at, long long left, float (&w)[8]) const { load(master + at, left, w); }

    __device__ __forceinline__ void write(long long at, long long left, const float (&w)[8], const unsigned (&)[8]) const
    {
        store(master + at, left, w);
        unsigned half[8];
        #pragma unroll
        for (int i = 0; i < 8; i++) half[i] = nearest(w[i]);
        store(weight + at, left, half);
    }
};

// `first` is the place of element 0 in the whole weight, a multiple of 256.
template <class Weight, class Gradient, class Moments>
__device__ __forceinline__ void move(const Weight& weight, const Gradient* gradient, const Moments& moments, long long count, unsigned first, const Step& step)
{
    long long block = ((long long)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
    if (block * 256 >= count)
    {
        return;
    }

    long long at = block * 256 + (threadIdx.x & 31) * 8, left = count - at;
    float w[8], g[8], m[8], v[8];
    weight.read(at, left, w);
    load(gradient + at, left, g);
    moments.read(block, at, left, m, v);

    unsigned hash[8], random[8];
    #pragma unroll
    for (int i = 0; i < 8; i++)
    {
        float scaled = __fmul_rn(g[i], step.gradientScale);
        m[i] = __fadd_rn(__fmul_rn(step.beta1, m[i]), __fmul_rn(step.fresh1, scaled));
        v[i] = __fadd_rn(__fmul_rn(step.beta2, v[i]), __fmul_rn(__fmul_rn(step.fresh2, scaled), scaled));
        float spread = __fadd_rn(__fsqrt_rn(__fmul_rn(v[i], step.correction2)), step.epsilon);
        float ratio = spread == 0.0f ? 0.0f : __fdiv_rn(__fmul_rn(m[i], step.correction1), spread);
        ratio = ratio > step.bound ? step.bound : ratio;
        ratio = ratio < -step.bound ? -step.bound : ratio;
        w[i] = __fsub_rn(w[i], __fadd_rn(__fmul_rn(step.decay, w[i]), __fmul_rn(step.rate, ratio)));
        hash[i] = hash_of(first + (unsigned)at + i, step);
        random[i] = for_weight(hash[i]);
    }

    weight.write(at, left, w, random);
    moments.write(block, at, left, m, v, hash);
}

#define ADAMW(NAME, WEIGHT, GRADIENT, MOMENTS) \
    extern "C" __global__ void NAME( \
        void* weight, const void* gradient, void* mean, void* spread, float* mean_scale, float* spread_scale, float* master, long long count, unsigned first, \
        float beta1, float fresh1, float beta2, float fresh2, float correction1, float correction2, float epsilon, float rate, float decay, float gradientScale, \
        float bound, unsigned key0, unsigned key1) \
    { \
        Step step = {beta1, fresh1, beta2, fresh2, correction1, correction2, epsilon, rate, decay, gradientScale, bound, key0, key1}; \
        move(WEIGHT(weight, master), (const GRADIENT*)gradient, MOMENTS(mean, spread, mean_scale, spread_scale), count, first, step); \
    }

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
