// The sum of the squares of tensors' numbers (SumOfSquares.cs), each read once: each block leaves its share of one tensor in fp32, and one more kernel adds all shares up
// in fp64. The order of additions follows from the tensors' sizes alone.

#include "Ops/Silu.cuh"

constexpr int Threads = 256, Warps = Threads / 32, SumThreads = 1024, MostParts = 64;

// CudaSumOfSquares.cs
struct Part
{
    const void* numbers; // from a multiple of 16 bytes on
    long long count;
    float* shares;       // one for each of its blocks
    int start, blocks;   // its first block in the grid, in order, and how many follow; beyond all blocks where there is no part
};

// CudaSumOfSquares.cs
struct Arguments
{
    Part parts[MostParts];
};

// CudaSumOfSquares.cs
struct Shares
{
    const float* shares;
    long long count;
    double* sum;
};

extern __shared__ __align__(16) unsigned char shared[];

__device__ __forceinline__ float square(float x) { return x * x; }

// Numbers that a thread reads at once, 16 bytes.
__device__ __forceinline__ float squares(const bf16*, uint4 unit)
{
    float x[8], sum = 0.0f;
    widen(x, unit);
#pragma unroll
    for (int e = 0; e < 8; e++)
    {
        sum += x[e] * x[e];
    }

    return sum;
}

__device__ __forceinline__ float squares(const float*, uint4 unit)
{
    return square(__uint_as_float(unit.x)) + square(__uint_as_float(unit.y)) + square(__uint_as_float(unit.z)) + square(__uint_as_float(unit.w));
}

__device__ __forceinline__ float wide(float x) { return x; }
__device__ __forceinline__ float wide(bf16 x) { return widen(x); }

template <class T>
__device__ __forceinline__ void share(const Arguments& a)
{
    constexpr int Numbers = 16 / sizeof(T), Unroll = 4;
    int p = 0;
#pragma unroll
    for (int half = MostParts / 2; half > 0; half /= 2)
    {
        p += a.parts[p + half].start <= (int)blockIdx.x ? half : 0;
    }

    const Part& part = a.parts[p];
    const T* numbers = (const T*)part.numbers;
    const uint4* from = (const uint4*)part.numbers;
    int block = (int)blockIdx.x - part.start;
    long long units = part.count / Numbers, stride = (long long)part.blocks * Threads, i = (long long)block * Threads + threadIdx.x;
    float sum = 0.0f;
    for (; i + (Unroll - 1) * stride < units; i += Unroll * stride)
    {
        uint4 x[Unroll];
#pragma unroll
        for (int u = 0; u < Unroll; u++)
        {
            x[u] = from[i + u * stride];
        }

#pragma unroll
        for (int u = 0; u < Unroll; u++)
        {
            sum += squares(numbers, x[u]);
        }
    }

    for (; i < units; i += stride)
    {
        sum += squares(numbers, from[i]);
    }

    // What is left is less than a unit.
    if (block == 0 && units * Numbers + threadIdx.x < part.count)
    {
        sum += square(wide(numbers[units * Numbers + threadIdx.x]));
    }

    float* sums = (float*)shared;
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2)
    {
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, mask);
    }

    if (threadIdx.x % 32 == 0)
    {
        sums[threadIdx.x / 32] = sum;
    }

    __syncthreads();
    if (threadIdx.x == 0)
    {
        sum = 0.0f;
        for (int warp = 0; warp < Warps; warp++)
        {
            sum += sums[warp];
        }

        part.shares[block] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(Threads) squares_of_bf16(const Arguments a) { share<bf16>(a); }
extern "C" __global__ void __launch_bounds__(Threads) squares_of_f32(const Arguments a) { share<float>(a); }

extern "C" __global__ void __launch_bounds__(SumThreads) sum_of_shares(const Shares a)
{
    double* sums = (double*)shared;
    double sum = 0.0;
#pragma unroll 8
    for (long long i = threadIdx.x; i < a.count; i += SumThreads)
    {
        sum += a.shares[i];
    }

    sums[threadIdx.x] = sum;
    for (int half = SumThreads / 2; half > 0; half /= 2)
    {
        __syncthreads();
        if (threadIdx.x < half)
        {
            sums[threadIdx.x] += sums[threadIdx.x + half];
        }
    }

    if (threadIdx.x == 0)
    {
        *a.sum = sums[0];
    }
}
