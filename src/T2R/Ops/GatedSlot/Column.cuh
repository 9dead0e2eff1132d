// Sums over the rows that read a token: gradients of keys, values and S.

// A number with a type of its own, to choose a function's by.
template <int D>
struct Depth
{
    static constexpr int Value = D;
};

// Calls f for keys or for values: in one place of the code where both are as deep, so that it stays in the instruction cache.
template <class F>
__device__ __forceinline__ void with_depth(bool isKey, F f)
{
    if constexpr (KEYS == VALUES)
    {
        f(Depth<KEYS>());
    }
    else if (isKey)
    {
        f(Depth<KEYS>());
    }
    else
    {
        f(Depth<VALUES>());
    }
}

// One warp's 16 tokens j of the chunk, as keys (D = KEYS: factors z, rows q) or as values (D = VALUES: factors p D, rows dOutput).
struct Column
{
    float sum[larger(KEYS, VALUES) / 8][4]; // dk or dv [16, D]
    float write[SLOTS / 8][4]; // gradient of S_ij [16, SLOTS], i the row tile at hand

    // From the state after the chunk: its gradient is a tile [SLOTS, D], y the chunk's keys or values. Counted in S of the last tile.
    template <int D>
    __device__ __forceinline__ void begin(const bf16* gradient, const bf16* y, const bf16* writes, const Rows& rows, int lastDocument, float* columnSums)
    {
        const bf16* written = writes + write_rows_before(RowTiles - 1) * SLOTS;
        float above = rows.document == lastDocument ? 1.0f : 0.0f, below = rows.documentBelow == lastDocument ? 1.0f : 0.0f;
        clear(sum);
        clear(write);
#pragma unroll
        for (int k = 0; k < SLOTS / 16; k++)
        {
            unsigned left[4];
            Tile<SLOTS>::left(left, written, rows.tile * RowTile, k * 16);
#pragma unroll
            for (int n = 0; n < D / 16; n++)
            {
                unsigned b[4];
                Tile<D>::right_transposed(b, gradient, k * 16, n * 16);
                multiply(sum[2 * n], sum[2 * n + 1], left, b);
            }
        }

#pragma unroll
        for (int k = 0; k < D / 16; k++)
        {
            unsigned left[4];
            Tile<D>::left(left, y, rows.tile * RowTile, k * 16);
#pragma unroll
            for (int n = 0; n < SLOTS / 16; n++)
            {
                unsigned b[4];
                Tile<D>::right(b, gradient, n * 16, k * 16);
                multiply(write[2 * n], write[2 * n + 1], left, b);
            }
        }

        scale_rows(sum, above, below);
        scale_rows(write, above, below);
        int lane = threadIdx.x & 31, row = rows.tile * RowTile + lane / 4;
#pragma unroll
        for (int n = 0; n < SLOTS / 8; n++)
        {
#pragma unroll
            for (int e = 0; e < 2; e++)
            {
                int slot = n * 8 + (lane & 3) * 2 + e;
                float x = write[n][e] * widen(written[Tile<SLOTS>::at(row, slot)]) + write[n][2 + e] * widen(written[Tile<SLOTS>::at(row + 8, slot)]);
                x += __shfl_xor_sync(0xFFFFFFFFu, x, 4);
                x += __shfl_xor_sync(0xFFFFFFFFu, x, 8);
                x += __shfl_xor_sync(0xFFFFFFFFu, x, 16);
                if (lane < 4)
                {
                    columnSums[slot] = x;
                }
            }
        }
    }

    template <int N>
    static __device__ __forceinline__ void scale_rows(float (&x)[N][4], float above, float below)
    {
#pragma unroll
        for (int n = 0; n < N; n++)
        {
            x[n][0] *= above;
            x[n][1] *= above;
            x[n][2] *= below;
            x[n][3] *= below;
        }
    }

    // From the next tile's S to this tile's.
    __device__ __forceinline__ void step_to(const float* step)
    {
        step += (threadIdx.x & 3) * 2;
#pragma unroll
        for (int n = 0; n < SLOTS / 8; n++)
        {
            float2 e = *(const float2*)(step + n * 8);
            write[n][0] *= e.x;
            write[n][1] *= e.y;
            write[n][2] *= e.x;
            write[n][3] *= e.y;
        }
    }

    // The rows of one row tile and some heads.
    template <int D>
    __device__ __forceinline__ void add(const bf16* x, const bf16* factors, int heads, const bf16* y, const bf16* writes, const Rows& rows, int rowTile)
    {
        const bf16* written = writes + write_rows_before(rowTile) * SLOTS;
        for (int head = 0; head < heads; head++)
        {
            int row = head * RowTile;
            float weights[2][4], products[2][4];
            clear(weights);
            clear(products);
#pragma unroll
            for (int k = 0; k < SLOTS / 16; k++)
            {
                unsigned left[4], b[4];
                Tile<SLOTS>::left(left, written, rows.tile * RowTile, k * 16);
                Tile<SLOTS>::right(b, factors, row, k * 16);
                multiply(weights[0], weights[1], left, b);
            }

#pragma unroll
            for (int k = 0; k < D / 16; k++)
            {
                unsigned left[4], b[4];
                Tile<D>::left(left, y, rows.tile * RowTile, k * 16);
                Tile<D>::right(b, x, row, k * 16);
                multiply(products[0], products[1], left, b);
            }

            rows.mask<true>(weights, rowTile);
            rows.mask<true>(products, rowTile);
            unsigned left[4];
            as_left(left, weights[0], weights[1]);
#pragma unroll
            for (int n = 0; n < D / 16; n++)
            {
                unsigned b[4];
                Tile<D>::right_transposed(b, x, row, n * 16);
                multiply(sum[2 * n], sum[2 * n + 1], left, b);
            }

            SplitLeft split(products[0], products[1]);
#pragma unroll
            for (int n = 0; n < SLOTS / 16; n++)
            {
                unsigned b[4];
                Tile<SLOTS>::right_transposed(b, factors, row, n * 16);
                split.multiply_by(write[2 * n], write[2 * n + 1], b);
            }
        }
    }

    // dk or dv; to and raw are those of the chunk's first token.
    template <int D>
    __device__ __forceinline__ void store(bf16* to, long long stride, const bf16* raw, long long rawStride, const Rows& rows, int count) const
    {
        int c = (threadIdx.x & 3) * 8;
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            int token = rows.token + 8 * h;
            if (token < count)
            {
#pragma unroll
                for (int i = 0; i < D / 32; i++)
                {
                    float x[8];
#pragma unroll
                    for (int n = 0; n < 4; n++)
                    {
                        x[2 * n] = sum[4 * i + n][2 * h];
                        x[2 * n + 1] = sum[4 * i + n][2 * h + 1];
                    }

                    store_gradient(to + token * stride + i * 32 + c, raw + token * rawStride + i * 32 + c, x);
                }
            }
        }
    }

    __device__ __forceinline__ void store_write(float* to, const Rows& rows) const
    {
#pragma unroll
        for (int n = 0; n < SLOTS / 8; n++)
        {
            int slot = n * 8 + (threadIdx.x & 3) * 2;
            *(float2*)(to + table_at(rows.token, slot)) = make_float2(write[n][0], write[n][1]);
            *(float2*)(to + table_at(rows.token + 8, slot)) = make_float2(write[n][2], write[n][3]);
        }
    }
};
