// The mathematics of a chunk's rows: scores against keys or values, and sums of values or keys weighted by them.

// What a chunk's blocks of rows share.
struct Chunk
{
    b16 *keys, *values, *stateKeys, *stateValues;
    bf16* writes[2];                // S of each token's own row tile, and what rounding took from it: it has a float's range
    float *decay, *anchors, *steps; // D, a table; A and the chunk's sum [RowTiles + 1, SLOTS]; exp(A_i - A_(i-1)) [RowTiles, SLOTS], A_(-1) = 0
    int* documents;

    static constexpr int Bytes = 2 * (Tokens * (KEYS + VALUES) + State + 2 * Tokens * SLOTS) + 4 * (Tokens * SLOTS + (2 * RowTiles + 1) * SLOTS + Tokens);

    __device__ __forceinline__ Chunk(unsigned char* shared)
    {
        keys = (b16*)shared;
        values = keys + Tokens * KEYS;
        stateKeys = values + Tokens * VALUES;
        stateValues = stateKeys + SLOTS * KEYS;
        writes[0] = stateValues + SLOTS * VALUES;
        writes[1] = writes[0] + Tokens * SLOTS;
        decay = (float*)(writes[1] + Tokens * SLOTS);
        anchors = decay + Tokens * SLOTS;
        steps = anchors + (RowTiles + 1) * SLOTS;
        documents = (int*)(steps + RowTiles * SLOTS);
    }

    __device__ __forceinline__ void load(const Arguments& a, const Place& place)
    {
        number_documents(documents, a, place);
        load_tile<KEYS>(keys, a.k + place.row * a.kStride + place.head * KEYS, a.kStride, place.count, MAPS);
        load_tile<VALUES>(values, a.v + place.row * a.vStride + place.head * VALUES, a.vStride, place.count, MAPS);
        load_state<KEYS>(stateKeys, a.states + place.state() * State);
        load_state<VALUES>(stateValues, a.states + place.state() * State + SLOTS * KEYS);
        Gates gates(a, place, decay);
        write_anchors(anchors, gates);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < PartTokens; i++)
        {
            int token = gates.first + i, at = Tile<SLOTS>::at(token, gates.slot);
            float since = gates.sum[i] - anchors[token / RowTile * SLOTS + gates.slot], s = gates.write[i] * fast_exp(-since);
            decay[table_at(token, gates.slot)] = fast_exp(since);
            bf16 rounded = round_bf16(s);
            writes[0][at] = rounded;
            writes[1][at] = round_bf16(s - widen_bf16(rounded));
        }

        for (int i = threadIdx.x; i < RowTiles * SLOTS; i += Threads)
        {
            steps[i] = fast_exp(anchors[i] - (i < SLOTS ? 0.0f : anchors[i - SLOTS]));
        }

        __syncthreads();
    }

    // What is left in a column tile's middle of what was there in the middle of the one before; in the first, of what was there before the chunk, if it is the same document's.
    __device__ __forceinline__ void step(float (&x)[SLOTS / 8][4], int column, const Rows& rows) const
    {
        const float* factors = steps + column * SLOTS + (threadIdx.x & 3) * 2;
        float above = column > 0 || rows.document == 0 ? 1.0f : 0.0f, below = column > 0 || rows.documentBelow == 0 ? 1.0f : 0.0f;
#pragma unroll
        for (int n = 0; n < SLOTS / 8; n++)
        {
            float2 e = *(const float2*)(factors + n * 8);
            x[n][0] *= e.x * above;
            x[n][1] *= e.y * above;
            x[n][2] *= e.x * below;
            x[n][3] *= e.y * below;
        }
    }

    // [16, SLOTS] = exp(A) o (x H) + sum_j (x y_j) S_j, without D: from each column tile's middle to the next's, as a state would go.
    template <int D>
    __device__ __forceinline__ void score(float (&sum)[SLOTS / 8][4], const unsigned (&x)[D / 16][4], const b16* y, const b16* state, const Rows& rows) const
    {
        clear(sum);
#pragma unroll
        for (int n = 0; n < SLOTS / 16; n++)
        {
#pragma unroll
            for (int k = 0; k < D / 16; k++)
            {
                unsigned b[4];
                Tile<D>::right(b, state, n * 16, k * 16);
                multiply(sum[2 * n], sum[2 * n + 1], x[k], b);
            }
        }

#pragma unroll
        for (int column = 0; column < RowTiles; column++)
        {
            if (column <= rows.tile)
            {
                step(sum, column, rows);
                float w[2][4];
                clear(w);
#pragma unroll
                for (int k = 0; k < D / 16; k++)
                {
                    unsigned b[4];
                    Tile<D>::right(b, y, column * RowTile, k * 16);
                    multiply(w[0], w[1], x[k], b);
                }

                rows.mask<false>(w, column);
                SplitLeft left(w[0], w[1]);
#pragma unroll
                for (int n = 0; n < SLOTS / 16; n++)
                {
                    unsigned b[4];
                    Tile<SLOTS>::right_transposed(b, writes[0], column * RowTile, n * 16);
                    left.multiply_by(sum[2 * n], sum[2 * n + 1], b);
                    Tile<SLOTS>::right_transposed(b, writes[1], column * RowTile, n * 16);
                    left.multiply_rounded_by(sum[2 * n], sum[2 * n + 1], b);
                }
            }
        }
    }

    // D of the lane's two rows and two slots of column tile n.
    __device__ __forceinline__ float4 decay_of(const Rows& rows, int n) const
    {
        int slot = n * 8 + (threadIdx.x & 3) * 2;
        float2 above = *(const float2*)(decay + table_at(rows.token, slot)), below = *(const float2*)(decay + table_at(rows.token + 8, slot));
        return make_float4(above.x, above.y, below.x, below.y);
    }

    // p = softmax of logits; a row's log of the sum of exponentials for each of the lane's two.
    __device__ __forceinline__ static void softmax(float (&x)[SLOTS / 8][4], float (&logSum)[2])
    {
        float most[2] = {-3.4e38f, -3.4e38f}, all[2] = {0.0f, 0.0f};
#pragma unroll
        for (int n = 0; n < SLOTS / 8; n++)
        {
            most[0] = fmaxf(most[0], fmaxf(x[n][0], x[n][1]));
            most[1] = fmaxf(most[1], fmaxf(x[n][2], x[n][3]));
        }

#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            most[h] = fmaxf(most[h], __shfl_xor_sync(0xFFFFFFFFu, most[h], 1));
            most[h] = fmaxf(most[h], __shfl_xor_sync(0xFFFFFFFFu, most[h], 2));
        }

#pragma unroll
        for (int n = 0; n < SLOTS / 8; n++)
        {
#pragma unroll
            for (int e = 0; e < 4; e++)
            {
                x[n][e] = fast_exp(x[n][e] - most[e / 2]);
                all[e / 2] += x[n][e];
            }
        }

#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            all[h] = of_row(all[h]);
            logSum[h] = most[h] + __logf(all[h]);
            all[h] = 1.0f / all[h];
        }

#pragma unroll
        for (int n = 0; n < SLOTS / 8; n++)
        {
#pragma unroll
            for (int e = 0; e < 4; e++)
            {
                x[n][e] *= all[e / 2];
            }
        }
    }

    // The sum over the four lanes that share a row.
    __device__ __forceinline__ static float of_row(float x)
    {
        x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
        return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
    }

    __device__ __forceinline__ void times_decay(float (&x)[SLOTS / 8][4], const Rows& rows) const
    {
#pragma unroll
        for (int n = 0; n < SLOTS / 8; n++)
        {
            float4 d = decay_of(rows, n);
            x[n][0] *= d.x;
            x[n][1] *= d.y;
            x[n][2] *= d.z;
            x[n][3] *= d.w;
        }
    }

    // [16, D] = (x exp(A)) H + sum_j (x . S_j) y_j, handed out as a lane's eight neighbours of a group of 32: store(group, above, below). x is times D already; it goes back
    // through the column tiles as a state's gradient would.
    template <int D, class Store>
    __device__ __forceinline__ void spread(
        float (&x)[SLOTS / 8][4], const b16* y, const b16* state, const Rows& rows, Store store) const
    {
        unsigned weights[RowTiles][4], far[SLOTS / 16][4];
#pragma unroll
        for (int column = RowTiles - 1; column >= 0; column--)
        {
            if (column <= rows.tile)
            {
                float w[2][4];
                clear(w);
#pragma unroll
                for (int k = 0; k < SLOTS / 16; k++)
                {
                    SplitLeft left(x[2 * k], x[2 * k + 1]);
                    unsigned b[4];
                    Tile<SLOTS>::right(b, writes[0], column * RowTile, k * 16);
                    if constexpr (HALF)
                    {
                        left.multiply_by(w[0], w[1], b);
                    }
                    else
                    {
                        left.multiply_rounded_by(w[0], w[1], b);
                    }

                    Tile<SLOTS>::right(b, writes[1], column * RowTile, k * 16);
                    left.multiply_rounded_by(w[0], w[1], b);
                }

                rows.mask<false>(w, column);
                as_left(weights[column], w[0], w[1]);
                step(x, column, rows);
            }
        }

#pragma unroll
        for (int k = 0; k < SLOTS / 16; k++)
        {
            as_left(far[k], x[2 * k], x[2 * k + 1]);
        }

#pragma unroll
        for (int group = 0; group < D / 32; group++)
        {
            float o[4][4];
            clear(o);
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                int n = group * 32 + h * 16;
#pragma unroll
                for (int k = 0; k < SLOTS / 16; k++)
                {
                    unsigned b[4];
                    Tile<D>::right_transposed(b, state, k * 16, n);
                    multiply(o[2 * h], o[2 * h + 1], far[k], b);
                }

#pragma unroll
                for (int column = 0; column < RowTiles; column++)
                {
                    if (column <= rows.tile)
                    {
                        unsigned b[4];
                        Tile<D>::right_transposed(b, y, column * RowTile, n);
                        multiply(o[2 * h], o[2 * h + 1], weights[column], b);
                    }
                }
            }

            float above[8], below[8];
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                above[2 * i] = o[i][0];
                above[2 * i + 1] = o[i][1];
                below[2 * i] = o[i][2];
                below[2 * i + 1] = o[i][3];
            }

            store(group, above, below);
        }
    }
};
