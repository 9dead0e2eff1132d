// Rounds a bf16 matrix to FP8 (Fp8Cast.cs) as it lies, transposed, or both, reading it once, and notes the largest |number|. Rows and columns are multiples of 16.
//
// A block does a tile of 128 x 128, a thread 4 rows x 16 columns of it: 16-byte loads and stores. For the transpose each thread turns 4 x 4 bytes at a time into
// words of four rows of one column, and the tile passes through shared memory, a column's rows side by side.

#include "Ops/Silu.cuh"
#include "Ops/Fp8/Fp8.cuh"

constexpr int Threads = 256, Warps = Threads / 32, Tile = 128;
constexpr int ThreadRows = 4, ThreadColumns = 16;

// CudaFp8Cast.cs
struct Arguments
{
    const uint4* input;         // [rows, columns], dense
    unsigned char* straight;    // [rows, columns], or null
    unsigned char* transposed;  // [columns, rows], or null
    const float* scale;
    float* largest;             // raised to the largest |number|
    long long straightStride;   // from row to row
    long long transposedStride;
    int rows, columns;
};

extern __shared__ __align__(16) unsigned char shared[];

struct E4M3
{
    static __device__ __forceinline__ unsigned pack(float a, float b, float c, float d) { return pack_e4m3(a, b, c, d); }
};

struct E5M2
{
    static __device__ __forceinline__ unsigned pack(float a, float b, float c, float d) { return pack_e5m2(a, b, c, d); }
};

// Where the 16 bytes of rows 16 unit to 16 unit + 15 of a column lie. Columns that a warp writes at once are 16 apart, and would share their banks if units were not
// exchanged by column.
__device__ __forceinline__ int place(int column, int unit) { return column * Tile + (unit ^ (column / ThreadColumns)) * 16; }

// Words of four columns in four rows become words of four rows in four columns.
__device__ __forceinline__ void transpose(unsigned& a, unsigned& b, unsigned& c, unsigned& d)
{
    unsigned ab = __byte_perm(a, b, 0x5140), cd = __byte_perm(c, d, 0x5140), ab2 = __byte_perm(a, b, 0x7362), cd2 = __byte_perm(c, d, 0x7362);
    a = __byte_perm(ab, cd, 0x5410);
    b = __byte_perm(ab, cd, 0x7632);
    c = __byte_perm(ab2, cd2, 0x5410);
    d = __byte_perm(ab2, cd2, 0x7632);
}

__device__ __forceinline__ void note(float* cell, float largest)
{
    // Of numbers that are not negative, bits have the order of values. Most blocks find a larger one there.
    if (largest > *cell)
    {
        atomicMax((unsigned*)cell, __float_as_uint(largest));
    }
}

template <class Format>
__device__ __forceinline__ void cast(const Arguments& a)
{
    int across = (a.columns + Tile - 1) / Tile, tileRow = blockIdx.x / across * Tile, tileColumn = blockIdx.x % across * Tile;
    int row = threadIdx.x / 8 * ThreadRows, column = threadIdx.x % 8 * ThreadColumns;
    bool isWithin = tileRow + row < a.rows && tileColumn + column < a.columns;
    float largest = 0.0f, scale = *a.scale;
    unsigned words[ThreadRows][4];
    if (isWithin)
    {
        uint4 units[ThreadRows][2];
#pragma unroll
        for (int r = 0; r < ThreadRows; r++)
        {
            const uint4* from = a.input + ((long long)(tileRow + row + r) * a.columns + tileColumn + column) / 8;
            units[r][0] = from[0];
            units[r][1] = from[1];
        }

#pragma unroll
        for (int r = 0; r < ThreadRows; r++)
        {
#pragma unroll
            for (int u = 0; u < 2; u++)
            {
                float x[8];
                widen(x, units[r][u]);
#pragma unroll
                for (int e = 0; e < 8; e++)
                {
                    largest = fmaxf(largest, fabsf(x[e]));
                    x[e] *= scale;
                }

                words[r][2 * u] = Format::pack(x[0], x[1], x[2], x[3]);
                words[r][2 * u + 1] = Format::pack(x[4], x[5], x[6], x[7]);
            }

            if (a.straight != nullptr)
            {
                *(uint4*)(a.straight + (tileRow + row + r) * a.straightStride + tileColumn + column) = make_uint4(words[r][0], words[r][1], words[r][2], words[r][3]);
            }
        }
    }

    if (a.transposed != nullptr)
    {
        if (isWithin)
        {
#pragma unroll
            for (int w = 0; w < 4; w++)
            {
                transpose(words[0][w], words[1][w], words[2][w], words[3][w]);
#pragma unroll
                for (int c = 0; c < 4; c++)
                {
                    *(unsigned*)(shared + place(column + 4 * w + c, row / 16) + row % 16) = words[c][w];
                }
            }
        }

        __syncthreads();
#pragma unroll
        for (int i = threadIdx.x; i < Tile * Tile / 16; i += Threads)
        {
            int c = i / (Tile / 16), unit = i % (Tile / 16);
            if (tileColumn + c < a.columns && tileRow + unit * 16 < a.rows)
            {
                *(uint4*)(a.transposed + (tileColumn + c) * a.transposedStride + tileRow + unit * 16) = *(const uint4*)(shared + place(c, unit));
            }
        }

        __syncthreads();
    }

#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2)
    {
        largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, mask));
    }

    float* all = (float*)shared;
    if (threadIdx.x % 32 == 0)
    {
        all[threadIdx.x / 32] = largest;
    }

    __syncthreads();
    if (threadIdx.x == 0)
    {
        for (int warp = 1; warp < Warps; warp++)
        {
            largest = fmaxf(largest, all[warp]);
        }

        note(a.largest, largest);
    }
}

extern "C" __global__ void __launch_bounds__(Threads) cast_e4m3(const Arguments a) { cast<E4M3>(a); }
extern "C" __global__ void __launch_bounds__(Threads) cast_e5m2(const Arguments a) { cast<E5M2>(a); }
