// The norm of rows WIDTH wide (RmsNorm.cs), of u = x or with SILU of u = silu(x), and its backward: each input read once, each output written once.
//
//   y = u r o w, r = 1 / sqrt(mean u^2 + epsilon)        dx = r (dy o w - u r^2 mean(dy o w o u)) [o silu'(x)]        dw = sum over rows of dy o u r
//
// A gradient that comes past the norm, such as a residual stream's, is added to dx before that is rounded; dx may lie where it lay.
//
// A block of THREADS does one row after the other, the next one's numbers on their way while it computes; a thread has the same columns of each. Sums are taken in
// an order that depends on the number of blocks alone.

#include "Ops/Silu.cuh"

constexpr int Units = WIDTH / 8, Threads = THREADS, Warps = Threads / 32; // a unit: eight numbers
constexpr int Each = (Units + Threads - 1) / Threads;                     // units of a thread
constexpr int SumThreads = 256;
static_assert(WIDTH % 8 == 0 && Threads % 32 == 0, "other widths are RmsNorm.cs's");

// CudaRmsNorm.cs
struct Arguments
{
    const uint4* x;      // [rows, WIDTH]
    const float* weight; // w [WIDTH]
    float* inverse;      // r [rows]
    uint4* y;            // [rows, WIDTH]
    const uint4* dy;
    uint4* dx;
    const uint4* past;   // what is added to dx [rows, WIDTH]; null: nothing
    float* shares;       // of blocks in dw [blocks, WIDTH]
    float* dWeight;      // dw [WIDTH], to which the sum is added
    long long rows;
    int blocks;          // of the backward
    float epsilon;
};

extern __shared__ __align__(16) unsigned char shared[];

// A thread's columns.
__device__ __forceinline__ int unit(int i) { return i * Threads + threadIdx.x; }
__device__ __forceinline__ bool has(int i) { return Units % Threads == 0 || unit(i) < Units; }

__device__ __forceinline__ void load(uint4 (&x)[Each], const uint4* from, long long row)
{
#pragma unroll
    for (int i = 0; i < Each; i++)
    {
        x[i] = has(i) ? from[row * Units + unit(i)] : make_uint4(0, 0, 0, 0);
    }
}

__device__ __forceinline__ void load_weight(float (&w)[Each][8], const float* weight)
{
#pragma unroll
    for (int i = 0; i < Each; i++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            float4 x = has(i) ? ((const float4*)weight)[unit(i) * 2 + half] : make_float4(0, 0, 0, 0);
            w[i][half * 4] = x.x;
            w[i][half * 4 + 1] = x.y;
            w[i][half * 4 + 2] = x.z;
            w[i][half * 4 + 3] = x.w;
        }
    }
}

// The block's sum of a number a thread, for all threads. Rows use two halves of shared memory in turn, so that one barrier a row is enough.
struct RowSum
{
    float* sums = (float*)shared;
    int half = 0;

    __device__ __forceinline__ float operator()(float x)
    {
#pragma unroll
        for (int mask = 16; mask > 0; mask /= 2)
        {
            x += __shfl_xor_sync(0xFFFFFFFFu, x, mask);
        }

        if (Warps == 1)
        {
            return x;
        }

        float* row = sums + half * Warps;
        half ^= 1;
        if (threadIdx.x % 32 == 0)
        {
            row[threadIdx.x / 32] = x;
        }

        __syncthreads();
        x = 0.0f;
#pragma unroll
        for (int i = 0; i < Warps; i++)
        {
            x += row[i];
        }

        return x;
    }
};

extern "C" __global__ void __launch_bounds__(Threads, 1024 / Threads) rms_norm(const Arguments a)
{
    float w[Each][8];
    load_weight(w, a.weight);
    RowSum sum;
    uint4 next[Each];
    load(next, a.x, blockIdx.x);
    for (long long row = blockIdx.x; row < a.rows; row += gridDim.x)
    {
        float u[Each][8], squares = 0.0f;
#pragma unroll
        for (int i = 0; i < Each; i++)
        {
            widen(u[i], next[i]);
        }

        if (row + gridDim.x < a.rows)
        {
            load(next, a.x, row + gridDim.x);
        }

#pragma unroll
        for (int i = 0; i < Each; i++)
        {
#pragma unroll
            for (int e = 0; e < 8; e++)
            {
                u[i][e] = SILU ? silu(u[i][e]) : u[i][e];
                squares += u[i][e] * u[i][e];
            }
        }

        float r = rsqrtf(sum(squares) / WIDTH + a.epsilon);
        if (threadIdx.x == 0)
        {
            a.inverse[row] = r;
        }

#pragma unroll
        for (int i = 0; i < Each; i++)
        {
#pragma unroll
            for (int e = 0; e < 8; e++)
            {
                u[i][e] *= r * w[i][e];
            }

            if (has(i))
            {
                a.y[row * Units + unit(i)] = pack(u[i]);
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(Threads, Threads <= 512 ? 512 / Threads : 1) rms_norm_backward(const Arguments a)
{
    float w[Each][8], dw[Each][8] = {};
    load_weight(w, a.weight);
    RowSum sum;
    uint4 x[Each], dy[Each];
    load(x, a.x, blockIdx.x);
    load(dy, a.dy, blockIdx.x);
    for (long long row = blockIdx.x; row < a.rows; row += gridDim.x)
    {
        float n[Each][8], slope[Each][8], d[Each][8], products = 0.0f, r = a.inverse[row];
#pragma unroll
        for (int i = 0; i < Each; i++)
        {
            widen(n[i], x[i]);
            widen(d[i], dy[i]);
#pragma unroll
            for (int e = 0; e < 8; e++)
            {
                slope[i][e] = r;
                if (SILU)
                {
                    float sigma = sigmoid(n[i][e]);
                    slope[i][e] *= silu_slope(n[i][e], sigma);
                    n[i][e] *= sigma;
                }

                n[i][e] *= r;
                dw[i][e] += d[i][e] * n[i][e];
                d[i][e] *= w[i][e];
                products += d[i][e] * n[i][e];
            }
        }

        if (row + gridDim.x < a.rows)
        {
            load(x, a.x, row + gridDim.x);
            load(dy, a.dy, row + gridDim.x);
        }

        uint4 past[Each];
        if (a.past != nullptr)
        {
            load(past, a.past, row);
        }

        float mean = sum(products) / WIDTH;
#pragma unroll
        for (int i = 0; i < Each; i++)
        {
#pragma unroll
            for (int e = 0; e < 8; e++)
            {
                d[i][e] = slope[i][e] * (d[i][e] - n[i][e] * mean);
            }

            if (a.past != nullptr)
            {
                float more[8];
                widen(more, past[i]);
#pragma unroll
                for (int e = 0; e < 8; e++)
                {
                    d[i][e] += more[e];
                }
            }

            if (has(i))
            {
                a.dx[row * Units + unit(i)] = pack(d[i]);
            }
        }
    }

#pragma unroll
    for (int i = 0; i < Each; i++)
    {
        if (has(i))
        {
            float4* share = (float4*)(a.shares + (long long)blockIdx.x * WIDTH) + unit(i) * 2;
            share[0] = make_float4(dw[i][0], dw[i][1], dw[i][2], dw[i][3]);
            share[1] = make_float4(dw[i][4], dw[i][5], dw[i][6], dw[i][7]);
        }
    }
}

// dw from the blocks' shares: a block does 32 columns, each of its warps every eighth share.
extern "C" __global__ void __launch_bounds__(SumThreads) rms_norm_weight(const Arguments a)
{
    constexpr int Strides = SumThreads / 32;
    float* sums = (float*)shared;
    int lane = threadIdx.x % 32, first = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
    float sum = 0.0f;
    if (column < WIDTH)
    {
#pragma unroll 4
        for (int i = first; i < a.blocks; i += Strides)
        {
            sum += a.shares[(long long)i * WIDTH + column];
        }
    }

    sums[threadIdx.x] = sum;
    __syncthreads();
    if (first == 0 && column < WIDTH)
    {
        for (int i = 1; i < Strides; i++)
        {
            sum += sums[i * 32 + lane];
        }

        a.dWeight[column] += sum;
    }
}
