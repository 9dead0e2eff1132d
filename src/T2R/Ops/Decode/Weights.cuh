// A weight's rows as a warp's left factor. Inputs are taken 64 at a time: of these a lane of quarter t = lane % 4 holds 16 of row lane / 4 and the same 16 of the row eight
// below. Which 16 is the format's choice, as long as both factors choose alike: the order of a sum within a product is nobody's business.
//
//   WEIGHTS 16: bf16, [rows, depth]
//            8: codes -127 ... 127 of one byte, [rows, depth], and a bf16 scale for each 64 inputs, [rows, depth / 64]
//            4: codes 0 ... 15 that stand for -8 ... 7, two a byte, the earlier in the low half, [rows, depth / 2], and scales likewise
//
// Codes are whole numbers that bf16 holds exactly; a product over 64 inputs is scaled afterwards, in fp32.

#include "Ops/Warp.cuh"

constexpr int Together = 64; // inputs

__device__ __forceinline__ void put(unsigned* to, uint4 x)
{
    to[0] = x.x;
    to[1] = x.y;
    to[2] = x.z;
    to[3] = x.w;
}

#if WEIGHTS == 16
constexpr bool HasScales = false;
typedef struct { uint4 low, high; } Codes;

__device__ __forceinline__ long long row_bytes(int depth) { return (long long)depth * 2; }

__device__ __forceinline__ Codes load_codes(const unsigned char* row, int group, int t)
{
    const uint4* from = (const uint4*)row + group * 8 + t;
    return {__ldcs(from), __ldcs(from + 4)};
}

// Pairs of bf16, two pairs for each of four products.
__device__ __forceinline__ void widen(unsigned (&w)[8], const Codes& codes)
{
    put(w, codes.low);
    put(w + 4, codes.high);
}

__device__ __forceinline__ int input_of(int t, int half) { return half * 32 + t * 8; }

#elif WEIGHTS == 8
constexpr bool HasScales = true;
typedef uint4 Codes;

__device__ __forceinline__ long long row_bytes(int depth) { return depth; }

__device__ __forceinline__ Codes load_codes(const unsigned char* row, int group, int t) { return __ldcs((const uint4*)row + group * 4 + t); }

// 2^23 + code + 128 as a float is the code's byte under three known ones.
__device__ __forceinline__ float code_of(unsigned shifted, unsigned selector) { return __uint_as_float(__byte_perm(shifted, 0x4B000000u, selector)) - 8388736.0f; }

__device__ __forceinline__ void widen(unsigned (&w)[8], const Codes& codes)
{
    unsigned words[4];
    put(words, codes);
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        unsigned shifted = words[i] ^ 0x80808080u;
        w[i * 2] = pack(code_of(shifted, 0x7440), code_of(shifted, 0x7441));
        w[i * 2 + 1] = pack(code_of(shifted, 0x7442), code_of(shifted, 0x7443));
    }
}

__device__ __forceinline__ int input_of(int t, int half) { return t * 16 + half * 8; }

#else
constexpr bool HasScales = true;
typedef uint2 Codes;

__device__ __forceinline__ long long row_bytes(int depth) { return depth / 2; }

__device__ __forceinline__ Codes load_codes(const unsigned char* row, int group, int t) { return __ldcs((const uint2*)row + group * 4 + t); }

// 128 + code as a bf16 is the code in its last bits; a word's codes come out in pairs four apart.
__device__ __forceinline__ void widen_eight(unsigned* w, unsigned codes)
{
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        unsigned pair = ((codes >> (4 * i)) & 0x000F000Fu) | 0x43004300u;
        w[i] = pack(widen_low(pair) - 136.0f, widen_high(pair) - 136.0f);
    }
}

__device__ __forceinline__ void widen(unsigned (&w)[8], const Codes& codes)
{
    widen_eight(w, codes.x);
    widen_eight(w + 4, codes.y);
}

__device__ __forceinline__ int input_of(int t, int half) { return t * 16 + half * 8; }
#endif

// Eight inputs, paired as widen pairs the weights'.
__device__ __forceinline__ void put_inputs(unsigned* to, uint4 x)
{
#if WEIGHTS == 4
    to[0] = __byte_perm(x.x, x.z, 0x5410);
    to[1] = __byte_perm(x.x, x.z, 0x7632);
    to[2] = __byte_perm(x.y, x.w, 0x5410);
    to[3] = __byte_perm(x.y, x.w, 0x7632);
#else
    put(to, x);
#endif
}
