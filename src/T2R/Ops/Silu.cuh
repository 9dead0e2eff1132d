// silu(x) = x sigma(x), and eight neighbours of 16 bits, the 16 bytes that a thread moves at once.

#include "Ops/Warp.cuh"

__device__ __forceinline__ float silu(float x) { return x * sigmoid(x); }

// The slope at x, where sigma(x) is known.
__device__ __forceinline__ float silu_slope(float x, float sigma) { return sigma * (1.0f + x * (1.0f - sigma)); }

__device__ __forceinline__ void widen(float (&x)[8], uint4 from)
{
    x[0] = widen_low(from.x);
    x[1] = widen_high(from.x);
    x[2] = widen_low(from.y);
    x[3] = widen_high(from.y);
    x[4] = widen_low(from.z);
    x[5] = widen_high(from.z);
    x[6] = widen_low(from.w);
    x[7] = widen_high(from.w);
}

__device__ __forceinline__ uint4 pack(const float (&x)[8])
{
    return make_uint4(pack(x[0], x[1]), pack(x[2], x[3]), pack(x[4], x[5]), pack(x[6], x[7]));
}
