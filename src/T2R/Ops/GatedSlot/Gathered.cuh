// Sums over a chunk's tokens for the state.

// [SLOTS, D] += factors^T x over the rows of two tiles; the result in pieces of [16, 32], one warp's after the other's.
template <int D>
struct Gathered
{
    static constexpr int Pieces = SLOTS / 16 * (D / 32), Most = (Pieces + Warps - 1) / Warps;
    float sum[Most][4][4];

    __device__ __forceinline__ Gathered()
    {
#pragma unroll
        for (int i = 0; i < Most; i++)
        {
            clear(sum[i]);
        }
    }

    __device__ __forceinline__ void add(const b16* factors, const b16* x)
    {
#pragma unroll
        for (int i = 0; i < Most; i++)
        {
            int piece = i * Warps + threadIdx.x / 32;
            if (piece < Pieces)
            {
                int slot = piece / (D / 32) * 16, n = piece % (D / 32) * 32;
#pragma unroll
                for (int k = 0; k < Tokens; k += 16)
                {
                    unsigned left[4], b[4];
                    Tile<SLOTS>::left_transposed(left, factors, slot, k);
                    Tile<D>::right_transposed(b, x, k, n);
                    multiply(sum[i][0], sum[i][1], left, b);
                    Tile<D>::right_transposed(b, x, k, n + 16);
                    multiply(sum[i][2], sum[i][3], left, b);
                }
            }
        }
    }

    // Rows [SLOTS, D] in the tiles' order of positions.
    __device__ __forceinline__ void store(b16* to) const
    {
        int lane = threadIdx.x & 31;
#pragma unroll
        for (int i = 0; i < Most; i++)
        {
            int piece = i * Warps + threadIdx.x / 32;
            if (piece < Pieces)
            {
                b16* row = to + (piece / (D / 32) * 16 + lane / 4) * D + piece % (D / 32) * 32 + (lane & 3) * 2;
#pragma unroll
                for (int n = 0; n < 4; n++)
                {
                    *(unsigned*)(row + n * 8) = pack(sum[i][n][0], sum[i][n][1]);
                    *(unsigned*)(row + 8 * D + n * 8) = pack(sum[i][n][2], sum[i][n][3]);
                }
            }
        }
    }
};
