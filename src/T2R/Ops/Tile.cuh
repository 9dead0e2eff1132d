// Matrices in shared memory as factors of a warp's products.
//
// A tile is rows of D numbers. Its 16-byte units are permuted within a row by the row's number, so that eight rows' units lie in different banks. A row that comes from
// memory is interleaved as well: of each 32 numbers, number 8c + 2i + e goes to position 8i + 2c + e. A product does not see it where both factors are interleaved alike,
// and what a lane holds of a product's four neighbouring 8-column results are then 8 numbers that are neighbours in memory: one 16-byte access.

#include "Ops/Warp.cuh"

template <int N>
__device__ __forceinline__ void clear(float (&c)[N][4])
{
#pragma unroll
    for (int n = 0; n < N; n++)
    {
        c[n][0] = c[n][1] = c[n][2] = c[n][3] = 0.0f;
    }
}

// Two neighbouring 8-column results as the left factor of a product over those 16 columns.
__device__ __forceinline__ void as_left(unsigned (&a)[4], const float (&c0)[4], const float (&c1)[4])
{
    a[0] = pack(c0[0], c0[1]);
    a[1] = pack(c0[2], c0[3]);
    a[2] = pack(c1[0], c1[1]);
    a[3] = pack(c1[2], c1[3]);
}

// c0, c1 += a b, with the right factors of two 8-column results.
__device__ __forceinline__ void multiply(float (&c0)[4], float (&c1)[4], const unsigned (&a)[4], const unsigned (&b)[4])
{
    multiply(c0, a, b[0], b[1]);
    multiply(c1, a, b[2], b[3]);
}

// Two neighbouring 8-column results as a left factor in two parts: rounded to bf16, and what rounding took. Right factors are bf16 as well.
struct SplitLeft
{
    unsigned rounded[4], rest[4];

    __device__ __forceinline__ SplitLeft(const float (&c0)[4], const float (&c1)[4])
    {
        split(rounded[0], rest[0], c0[0], c0[1]);
        split(rounded[1], rest[1], c0[2], c0[3]);
        split(rounded[2], rest[2], c1[0], c1[1]);
        split(rounded[3], rest[3], c1[2], c1[3]);
    }

    // c0, c1 += the rounded part alone times b.
    __device__ __forceinline__ void multiply_rounded_by(float (&c0)[4], float (&c1)[4], const unsigned (&b)[4]) const
    {
        multiply_bf16(c0, rounded, b[0], b[1]);
        multiply_bf16(c1, rounded, b[2], b[3]);
    }

    __device__ __forceinline__ void multiply_by(float (&c0)[4], float (&c1)[4], const unsigned (&b)[4]) const
    {
        multiply_rounded_by(c0, c1, b);
        multiply_bf16(c0, rest, b[0], b[1]);
        multiply_bf16(c1, rest, b[2], b[3]);
    }

private:
    static __device__ __forceinline__ void split(unsigned& rounded, unsigned& rest, float x, float y)
    {
        rounded = pack_bf16(x, y);
        rest = pack_bf16(x - widen_bf16_low(rounded), y - widen_bf16_high(rounded));
    }
};

template <int D>
struct Tile
{
    static constexpr int Units = D / 8;
    static_assert(D % 16 == 0, "a tile's rows are whole products deep");

    // Where a row's unit lies, in elements.
    static __device__ __forceinline__ int unit(int row, int u)
    {
        int swapped = Units % 8 == 0 ? u ^ (row & 7) : Units % 4 == 0 ? u ^ ((row >> 1) & 3) : u ^ ((row >> 2) & 1);
        return row * D + swapped * 8;
    }

    static __device__ __forceinline__ int at(int row, int position) { return unit(row, position >> 3) + (position & 7); }

    // Left factor, rows [row, row + 16), columns [k, k + 16).
    static __device__ __forceinline__ void left(unsigned (&a)[4], const b16* tile, int row, int k)
    {
        int lane = threadIdx.x & 31;
        load_matrices(a, tile + unit(row + (lane & 15), (k >> 3) + (lane >> 4)));
    }

    // Left factor of the transposed tile: its rows are the tile's columns [row, row + 16), its columns the tile's rows [k, k + 16).
    static __device__ __forceinline__ void left_transposed(unsigned (&a)[4], const b16* tile, int row, int k)
    {
        int lane = threadIdx.x & 31;
        load_matrices_transposed(a, tile + unit(k + (lane & 7) + ((lane >> 4) << 3), (row >> 3) + ((lane >> 3) & 1)));
    }

    // Right factors of two 8-column results: columns are the tile's rows [n, n + 16), depth its columns [k, k + 16).
    static __device__ __forceinline__ void right(unsigned (&b)[4], const b16* tile, int n, int k)
    {
        int lane = threadIdx.x & 31;
        load_matrices(b, tile + unit(n + (lane & 7) + ((lane >> 4) << 3), (k >> 3) + ((lane >> 3) & 1)));
    }

    // Right factors of two 8-column results: columns are the tile's columns [n, n + 16), depth its rows [k, k + 16).
    static __device__ __forceinline__ void right_transposed(unsigned (&b)[4], const b16* tile, int k, int n)
    {
        int lane = threadIdx.x & 31;
        load_matrices_transposed(b, tile + unit(k + (lane & 15), (n >> 3) + (lane >> 4)));
    }

    // Eight neighbours in memory, interleaved where a row is groups of 32.
    static __device__ __forceinline__ void put(b16* tile, int row, int u, uint4 x)
    {
        if constexpr (D % 32 == 0)
        {
            int group = u >> 2, c = (u & 3) * 2;
            *(unsigned*)(tile + unit(row, group * 4) + c) = x.x;
            *(unsigned*)(tile + unit(row, group * 4 + 1) + c) = x.y;
            *(unsigned*)(tile + unit(row, group * 4 + 2) + c) = x.z;
            *(unsigned*)(tile + unit(row, group * 4 + 3) + c) = x.w;
        }
        else
        {
            *(uint4*)(tile + unit(row, u)) = x;
        }
    }
};
