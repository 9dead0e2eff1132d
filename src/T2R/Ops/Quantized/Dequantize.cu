// A matrix of whole numbers as 16-bit numbers, row-major, for products of many rows; compiled for WEIGHTS and HALF. A lane of a warp takes what it would take in a step's
// product (Weights.cuh): 16 numbers of one row and 16 of the row eight below.

#include "Ops/Warp.cuh"
#include "Ops/Decode/Weights.cuh"

// CudaDequantize.cs
struct Arguments
{
    const uint4* codes; // in lanes' order
    const bf16* scales; // [depth / 64, rows]
    b16* numbers;       // [rows, depth]
    long long rows;
    long long depth;
};

constexpr int Threads = 256;

__device__ __forceinline__ void put_scaled(b16* to, const unsigned (&pairs)[8], float scale)
{
    unsigned scaled[8];
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        scaled[i] = pack(widen_low(pairs[i]) * scale, widen_high(pairs[i]) * scale);
    }

    ((uint4*)to)[0] = make_uint4(scaled[0], scaled[1], scaled[2], scaled[3]);
    ((uint4*)to)[1] = make_uint4(scaled[4], scaled[5], scaled[6], scaled[7]);
}

extern "C" __global__ void __launch_bounds__(Threads) dequantize(const Arguments a)
{
    long long groups = a.depth / Together, i = (long long)blockIdx.x * (Threads / 32) + threadIdx.x / 32, tile = i / groups, group = i % groups;
    if (tile * 16 >= a.rows)
    {
        return;
    }

    int lane = threadIdx.x % 32;
    unsigned above[8], below[8];
    widen(above, below, a.codes + i * Copies * 32 + lane);
    long long row = tile * 16 + lane / 4, at = row * a.depth + group * Together + lane % 4 * 16, scale = group * a.rows + row;
    put_scaled(a.numbers + at, above, widen_bf16(a.scales[scale]));
    put_scaled(a.numbers + at + 8 * a.depth, below, widen_bf16(a.scales[scale + 8]));
}
