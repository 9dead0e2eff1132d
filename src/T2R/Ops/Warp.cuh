// What kernels of 16-bit matrix products are made of: rounding, and the warp's 16 x 8 x 16 product with its loads (PTX ISA, mma.m16n8k16 and ldmatrix).
//
// A kernel's 16-bit numbers, b16, are bf16, or with HALF fp16: three more bits, and far less range. What is named bf16 is that in both.

#ifndef HALF
#define HALF 0
#endif

typedef unsigned short bf16;
typedef unsigned short b16;

__device__ __forceinline__ float widen_bf16_low(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float widen_bf16_high(unsigned pair) { return __uint_as_float(pair & 0xFFFF0000u); }
__device__ __forceinline__ float widen_bf16(bf16 x) { return __uint_as_float((unsigned)x << 16); }

// Two numbers rounded to nearest even, the first in the low half.
__device__ __forceinline__ unsigned pack_bf16(float low, float high)
{
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

__device__ __forceinline__ bf16 round_bf16(float x) { return (bf16)pack_bf16(x, 0.0f); }

#if HALF
__device__ __forceinline__ float widen(b16 x)
{
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x));
    return wide;
}

__device__ __forceinline__ float widen_low(unsigned pair) { return widen((b16)pair); }
__device__ __forceinline__ float widen_high(unsigned pair) { return widen((b16)(pair >> 16)); }

__device__ __forceinline__ unsigned pack(float low, float high)
{
    unsigned pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

// a - b of each half, rounded.
__device__ __forceinline__ unsigned subtract_pairs(unsigned a, unsigned b)
{
    unsigned difference;
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(difference) : "r"(a), "r"(b));
    return difference;
}
#else
__device__ __forceinline__ float widen(b16 x) { return widen_bf16(x); }
__device__ __forceinline__ float widen_low(unsigned pair) { return widen_bf16_low(pair); }
__device__ __forceinline__ float widen_high(unsigned pair) { return widen_bf16_high(pair); }
__device__ __forceinline__ unsigned pack(float low, float high) { return pack_bf16(low, high); }

// a - b of each half, rounded.
__device__ __forceinline__ unsigned subtract_pairs(unsigned a, unsigned b)
{
    unsigned difference;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(difference) : "r"(b), "r"(0xBF80BF80u), "r"(a)); // -1
    return difference;
}
#endif

__device__ __forceinline__ b16 round_b16(float x) { return (b16)pack(x, 0.0f); }

__device__ __forceinline__ float fast_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ __forceinline__ float fast_exp(float x) { return fast_exp2(x * 1.4426950408889634f); }

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + fast_exp(-x)); }

__device__ __forceinline__ unsigned shared_address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }

// Four 8 x 8 matrices; lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void load_matrices(unsigned (&r)[4], const b16* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}

__device__ __forceinline__ void load_matrices_transposed(unsigned (&r)[4], const b16* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}

// c += a b
#define MULTIPLY(name, type) \
    __device__ __forceinline__ void name(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) \
    { \
        asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) \
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1)); \
    }

MULTIPLY(multiply_bf16, "bf16")
#if HALF
MULTIPLY(multiply, "f16")
#else
MULTIPLY(multiply, "bf16")
#endif
