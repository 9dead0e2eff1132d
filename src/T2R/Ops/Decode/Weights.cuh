// A weight's rows as a warp's left factor. Inputs are taken 64 at a time: of these a lane of quarter t = lane % 4 holds 16 of row lane / 4 and the same 16 of the row eight
// below. Which 16 is the format's choice, as long as both factors choose alike: the order of a sum within a product is nobody's business.
//
//   WEIGHTS 16: bf16, [rows, depth]
//            8: codes -127 ... 127 of one byte, [rows, depth], and a bf16 scale for each 64 inputs, [depth / 64, rows]
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

// Of a row: its bytes. Of a group of 64 inputs: the bytes that a lane holds of a row, in how many copies they come and from where; which two units of eight inputs those are;
// by which bits units are turned in shared memory; and a lane's codes as pairs of bf16, two pairs for each of four products, from copies 32 lanes apart.
#if WEIGHTS == 16
constexpr bool HasScales = false;
constexpr int LaneBytes = 32, Copies = 2, Turned = 4;
typedef uint4 LaneCodes;

__device__ __forceinline__ long long row_bytes(int depth) { return (long long)depth * 2; }
__device__ __forceinline__ int input_unit(int t, int half) { return half * 4 + t; }

__device__ __forceinline__ const unsigned char* codes_of(const unsigned char* row, int group, int t, int copy) { return row + (group * 8 + copy * 4 + t) * 16; }

__device__ __forceinline__ void widen(unsigned (&w)[8], const uint4* codes)
{
    put(w, codes[0]);
    put(w + 4, codes[32]);
}

#elif WEIGHTS == 8
constexpr bool HasScales = true;
constexpr int LaneBytes = 16, Copies = 1, Turned = 1;
typedef uint4 LaneCodes;

__device__ __forceinline__ long long row_bytes(int depth) { return depth; }
__device__ __forceinline__ int input_unit(int t, int half) { return t * 2 + half; }
__device__ __forceinline__ const unsigned char* codes_of(const unsigned char* row, int group, int t, int) { return row + (group * 4 + t) * 16; }

// 2^23 + code + 128 as a float is the code's byte under three known ones.
__device__ __forceinline__ float code_of(unsigned shifted, unsigned selector) { return __uint_as_float(__byte_perm(shifted, 0x4B000000u, selector)) - 8388736.0f; }

__device__ __forceinline__ void widen(unsigned (&w)[8], const uint4* codes)
{
    unsigned words[4];
    put(words, *codes);
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        unsigned shifted = words[i] ^ 0x80808080u;
        w[i * 2] = pack(code_of(shifted, 0x7440), code_of(shifted, 0x7441));
        w[i * 2 + 1] = pack(code_of(shifted, 0x7442), code_of(shifted, 0x7443));
    }
}

#else
constexpr bool HasScales = true;
constexpr int LaneBytes = 8, Copies = 1, Turned = 1;
typedef uint2 LaneCodes;

__device__ __forceinline__ long long row_bytes(int depth) { return depth / 2; }
__device__ __forceinline__ int input_unit(int t, int half) { return t * 2 + half; }
__device__ __forceinline__ const unsigned char* codes_of(const unsigned char* row, int group, int t, int) { return row + (group * 4 + t) * 8; }

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

__device__ __forceinline__ void widen(unsigned (&w)[8], const uint2* codes)
{
    widen_eight(w, codes->x);
    widen_eight(w + 4, codes->y);
}
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
