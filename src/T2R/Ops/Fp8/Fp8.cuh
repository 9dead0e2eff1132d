// Rounding to FP8, to nearest even, what is too large to the largest number (PTX ISA, cvt.rn.satfinite).

__device__ __forceinline__ unsigned pack_e4m3(float a, float b, float c, float d)
{
    unsigned short low, high;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(low) : "f"(b), "f"(a));
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(high) : "f"(d), "f"(c));
    return low | (unsigned)high << 16;
}

__device__ __forceinline__ unsigned pack_e5m2(float a, float b, float c, float d)
{
    unsigned short low, high;
    asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(low) : "f"(b), "f"(a));
    asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(high) : "f"(d), "f"(c));
    return low | (unsigned)high << 16;
}
