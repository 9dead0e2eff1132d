// First kernel of the backward.

constexpr int FactorTiles = SLOTS % 32 == 0 ? 4 : 2; // 8-column tiles of a row's factors that are stored together

// Those tiles, group i of a row tile's factors [16, SLOTS], to memory: interleaved where they can be.
__device__ __forceinline__ void store_factors(bf16* to, const float (&x)[FactorTiles][4], int i, long long stride, int token, int count)
{
    int c = threadIdx.x & 3;
#pragma unroll
    for (int h = 0; h < 2; h++)
    {
        bf16* row = to + (token + 8 * h) * stride;
        if (token + 8 * h < count)
        {
            if constexpr (FactorTiles == 4)
            {
                *(uint4*)(row + i * 32 + c * 8) = make_uint4(
                    pack(x[0][2 * h], x[0][2 * h + 1]), pack(x[1][2 * h], x[1][2 * h + 1]), pack(x[2][2 * h], x[2][2 * h + 1]), pack(x[3][2 * h], x[3][2 * h + 1]));
            }
            else
            {
                *(unsigned*)(row + c * 2) = pack(x[0][2 * h], x[0][2 * h + 1]);
                *(unsigned*)(row + 8 + c * 2) = pack(x[1][2 * h], x[1][2 * h + 1]);
            }
        }
    }
}

// The rows' part of the backward: dq; and for what sums over rows: p D, z = dlogits D, and the gradient of G_t from rows t.
extern "C" __global__ void __launch_bounds__(Threads, Chunk::Bytes <= TwoBlocks ? 2 : 1) gsa_rows_backward(const Arguments a)
{
    Chunk chunk(shared);
    Place place(a, blockIdx.x);
    chunk.load(a, place);
    int lane = threadIdx.x & 31, queryHeads = a.heads * a.groups;
    for (int pass = 0; pass * Warps < a.groups * RowTiles; pass++)
    {
        int group, tile;
        bool isWork = next_tile(pass, a.groups, group, tile);
        int head = place.head * a.groups + group;
        Rows rows(tile, chunk.documents);
        float z[SLOTS / 8][4], toSum[SLOTS / 8][4];
        if (isWork)
        {
            float logSum[2], dot[2] = {0.0f, 0.0f};
            {
                unsigned q[KEYS / 16][4];
                load_left<KEYS>(q, a.q + place.row * a.qStride + head * KEYS, a.qStride, tile * RowTile, place.count, MAPS);
                chunk.score<KEYS>(z, q, chunk.keys, chunk.stateKeys, rows);
            }

            chunk.times_decay(z, rows);
            chunk.softmax(z, logSum); // z is p, toSum dp until both are known
            {
                unsigned d[VALUES / 16][4];
                load_left<VALUES>(d, a.dOutput + (place.row * queryHeads + head) * VALUES, (long long)queryHeads * VALUES, tile * RowTile, place.count, false);
                chunk.score<VALUES>(toSum, d, chunk.values, chunk.stateValues, rows);
            }

            chunk.times_decay(toSum, rows);
#pragma unroll
            for (int n = 0; n < SLOTS / 8; n++)
            {
#pragma unroll
                for (int e = 0; e < 4; e++)
                {
                    dot[e / 2] += z[n][e] * toSum[n][e];
                }
            }

            dot[0] = Chunk::of_row(dot[0]);
            dot[1] = Chunk::of_row(dot[1]);
            long long factors = (place.row * queryHeads + head) * SLOTS, stride = (long long)queryHeads * SLOTS;

            // The gradient of G is a difference of sums over rows and over columns; the columns read p D and z as rounded here, so the rows do.
#pragma unroll
            for (int i = 0; i < SLOTS / 8 / FactorTiles; i++)
            {
                float scaled[FactorTiles][4], scaledZ[FactorTiles][4];
#pragma unroll
                for (int n = 0; n < FactorTiles; n++)
                {
                    int tileOf = i * FactorTiles + n;
                    float4 d = chunk.decay_of(rows, tileOf);
                    float decay[4] = {d.x, d.y, d.z, d.w};
#pragma unroll
                    for (int e = 0; e < 4; e++)
                    {
                        float p = z[tileOf][e], dp = toSum[tileOf][e], logit = __logf(fmaxf(p, 1.2e-38f)) + logSum[e / 2];
                        scaled[n][e] = widen(round_bf16(p * decay[e]));
                        scaledZ[n][e] = z[tileOf][e] = widen(round_bf16(p * (dp - dot[e / 2]) * decay[e]));
                        toSum[tileOf][e] = __fdividef(logit * z[tileOf][e] + scaled[n][e] * dp, decay[e]);
                    }
                }

                store_factors(a.p + factors, scaled, i, stride, rows.token, place.count);
                store_factors(a.z + factors, scaledZ, i, stride, rows.token, place.count);
            }
        }

        // Two heads a pass have the same tokens; one after the other, so that the sum has one order.
#pragma unroll
        for (int turn = 0; turn < Warps / RowTiles; turn++)
        {
            if (isWork && threadIdx.x / 32 / RowTiles == turn)
            {
#pragma unroll
                for (int n = 0; n < SLOTS / 8; n++)
                {
#pragma unroll
                    for (int h = 0; h < 2; h++)
                    {
                        int token = rows.token + 8 * h;
                        if (token < place.count)
                        {
                            float2* sum = (float2*)(a.rows + ((place.row + token) * a.heads + place.head) * SLOTS + n * 8 + (lane & 3) * 2);
                            float2 before = pass + turn == 0 ? make_float2(0.0f, 0.0f) : *sum;
                            *sum = make_float2(before.x + toSum[n][2 * h], before.y + toSum[n][2 * h + 1]);
                        }
                    }
                }
            }

            __syncthreads();
        }

        if (isWork)
        {
            bf16* to = a.dq + (place.row + rows.token) * a.dqStride + head * KEYS + (lane & 3) * 8;
            const bf16* raw = a.q + (place.row + rows.token) * a.qStride + head * KEYS + (lane & 3) * 8;
            chunk.spread<KEYS>(z, chunk.keys, chunk.stateKeys, rows, [&](int i, const float (&up)[8], const float (&down)[8])
            {
                if (rows.token < place.count)
                {
                    store_gradient(to + i * 32, raw + i * 32, up);
                }

                if (rows.token + 8 < place.count)
                {
                    store_gradient(to + 8 * a.dqStride + i * 32, raw + 8 * a.qStride + i * 32, down);
                }
            });
        }
    }
}
