// Random bits, and numbers in 16 and 8 bits: RandomBits.cs, BFloat16Code.cs and EightBitCode.cs say what they are.

// Of one of eight neighbours, whose places begin at a multiple of eight: what does not depend on the neighbour is `start_of`.
__device__ __forceinline__ unsigned start_of(unsigned place, unsigned long long key)
{
    unsigned x = place ^ (unsigned)key;
    return x ^ (x >> 16);
}

__device__ __forceinline__ unsigned hash_of(unsigned start, unsigned neighbour, unsigned long long key)
{
    unsigned x = (start ^ neighbour) * 0x21f0aaadu;
    x ^= (unsigned)(key >> 32);
    x = (x ^ (x >> 15)) * 0x735a2d97u;
    return x ^ (x >> 15);
}

__device__ __forceinline__ unsigned for_weight(unsigned hash) { return hash >> 16; }
__device__ __forceinline__ unsigned for_mean(unsigned hash) { return hash & 0xFFFFu; }
__device__ __forceinline__ unsigned for_spread(unsigned hash) { return (hash * 0x9E3779B9u) >> 16; }

// Rounding to bf16 gives the bits in the upper half. A NaN that arithmetic made has its mark there and must not be counted on; an infinity stays one by itself.

__device__ __forceinline__ unsigned by_chance(float x, unsigned random)
{
    unsigned bits = __float_as_uint(x);
    return x == x ? bits + random : bits;
}

__device__ __forceinline__ unsigned nearest(float x)
{
    unsigned bits = __float_as_uint(x);
    return x == x ? bits + 0x7FFFu + ((bits >> 16) & 1u) : bits;
}

// Two numbers' upper halves, the first below.
__device__ __forceinline__ unsigned upper_halves(unsigned first, unsigned second) { return __byte_perm(first, second, 0x7632); }

constexpr unsigned mean_shift = 20, spread_shift = 19;
constexpr unsigned mean_origin = (0x3F800000u >> mean_shift) - 127, spread_origin = (0x3F800000u >> spread_shift) - 255;
constexpr unsigned smallest_mean = (mean_origin + 1) << mean_shift;

// A code in the upper byte.

__device__ __forceinline__ float decode_mean(unsigned code)
{
    unsigned bits = ((unsigned)((int)code >> (24 - mean_shift)) & (0x80000000u | 127u << mean_shift)) + (mean_origin << mean_shift);
    return __uint_as_float((code & 127u << 24) == 0 ? 0u : bits);
}

__device__ __forceinline__ float decode_spread(unsigned code)
{
    unsigned bits = (code >> (24 - spread_shift)) + (spread_origin << spread_shift);
    return __uint_as_float(code == 0 ? 0u : bits);
}

// 16 random bits twice, side by side.
__device__ __forceinline__ unsigned doubled(unsigned random) { return __byte_perm(random, 0u, 0x1010); }

__device__ __forceinline__ unsigned encode_mean(float scaled, unsigned random)
{
    float magnitude = fminf(fabsf(scaled), 1.0f);
    unsigned bits = __float_as_uint(magnitude);
    unsigned code = (bits + (doubled(random) >> 12) - (mean_origin << mean_shift)) >> mean_shift;
    if (bits < smallest_mean)
    {
        code = __fmul_rn((float)(int)random, __fmul_rn(__uint_as_float(smallest_mean), 1.0f / 65536.0f)) < magnitude ? 1u : 0u;
    }

    return code == 0 ? 0u : code | ((__float_as_uint(scaled) >> 24) & 128u);
}

// A number below the smallest code's rounds to that or below; it gets that, and zero alone gets zero.
__device__ __forceinline__ unsigned encode_spread(float scaled, unsigned random)
{
    unsigned bits = __float_as_uint(fminf(scaled, 1.0f));
    int code = (int)(bits + (doubled(random) >> 13) - (spread_origin << spread_shift)) >> spread_shift;
    return (unsigned)max(code, bits == 0 ? 0 : 1);
}
