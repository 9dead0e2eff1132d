// Last kernel of the backward.

__device__ constexpr int stage_bytes(int heads) { return larger(2 * heads * RowTile * (KEYS + VALUES + 2 * SLOTS), larger(2 * State, 2 * 4 * Tokens * SLOTS)); }

// What the columns' part of the backward keeps in shared memory.
struct Columns
{
    static constexpr int FixedBytes = 2 * (Tokens * (KEYS + VALUES) + WriteRows * SLOTS) + 4 * (Threads + (2 * RowTiles + 2 + Warps) * SLOTS + Tokens);
    static constexpr int Heads = FixedBytes + stage_bytes(4) <= MOST_SHARED ? 4 : FixedBytes + stage_bytes(2) <= MOST_SHARED ? 2 : 1; // query heads at a time
    static constexpr int StageBytes = stage_bytes(Heads), Bytes = FixedBytes + StageBytes;

    bf16 *keys, *values, *writes, *stage;
    float *parts, *anchors, *steps, *stateSums, *columnSums; // steps: exp(A_{i+1} - A_i), and for the last tile exp(G_end - A_i)
    int* documents;

    __device__ __forceinline__ Columns(unsigned char* shared)
    {
        keys = (bf16*)shared;
        values = keys + Tokens * KEYS;
        writes = values + Tokens * VALUES;
        stage = writes + WriteRows * SLOTS;
        parts = (float*)((unsigned char*)stage + StageBytes);
        anchors = parts + Threads;
        steps = anchors + (RowTiles + 1) * SLOTS;
        stateSums = steps + RowTiles * SLOTS;
        columnSums = stateSums + SLOTS;
        documents = (int*)(columnSums + Warps * SLOTS);
    }
};

// The gradient of the state after the chunk, times what is left at its end of what was there at the last tile's middle; and its product with the state before.
template <int D>
__device__ __forceinline__ float stage_state(bf16* tile, const bf16* gradient, const bf16* state, const float* step, int slot)
{
    float sum = 0.0f;
    for (int u = threadIdx.x & 31; u < D / 8; u += 32)
    {
        uint4 d = *(const uint4*)(gradient + slot * D + u * 8), h = *(const uint4*)(state + slot * D + u * 8);
        sum += widen_low(d.x) * widen_low(h.x) + widen_high(d.x) * widen_high(h.x) + widen_low(d.y) * widen_low(h.y) + widen_high(d.y) * widen_high(h.y)
            + widen_low(d.z) * widen_low(h.z) + widen_high(d.z) * widen_high(h.z) + widen_low(d.w) * widen_low(h.w) + widen_high(d.w) * widen_high(h.w);
        float e = step[slot];
        *(uint4*)(tile + Tile<D>::unit(slot, u)) = make_uint4(
            pack(widen_low(d.x) * e, widen_high(d.x) * e), pack(widen_low(d.y) * e, widen_high(d.y) * e),
            pack(widen_low(d.z) * e, widen_high(d.z) * e), pack(widen_low(d.w) * e, widen_high(d.w) * e));
    }

    return sum;
}

// Rows of one row tile and up to four heads: 16 tokens of the first head, 16 of the second, ...
template <int D>
__device__ __forceinline__ void stage_rows(bf16* tile, const bf16* from, long long stride, int headStride, int heads, int first, int count, bool isMapped)
{
    for (int i = threadIdx.x; i < heads * RowTile * (D / 8); i += Threads)
    {
        int row = i / (D / 8), u = i % (D / 8), token = first + row % RowTile;
        uint4 x = make_uint4(0, 0, 0, 0);
        if (token < count)
        {
            x = *(const uint4*)(from + token * stride + row / RowTile * headStride + u * 8);
        }

        Tile<D>::put(tile, row, u, isMapped ? map(x) : x);
    }
}

// The columns' part: dk, dv and the gradients of the gates.
extern "C" __global__ void __launch_bounds__(Threads, Columns::Bytes <= TwoBlocks ? 2 : 1) gsa_columns_backward(const Arguments a)
{
    Columns c(shared);
    Place place(a, blockIdx.x);
    int warp = threadIdx.x / 32, lane = threadIdx.x & 31;
    number_documents(c.documents, a, place);
    load_tile<KEYS>(c.keys, a.k + place.row * a.kStride + place.head * KEYS, a.kStride, place.count, MAPS);
    load_tile<VALUES>(c.values, a.v + place.row * a.vStride + place.head * VALUES, a.vStride, place.count, MAPS);
    {
        Gates gates(a, place, c.parts);
        write_anchors(c.anchors, gates);
        __syncthreads();
        fill_writes(c.writes, gates, c.anchors);
    }

    for (int i = threadIdx.x; i < RowTiles * SLOTS; i += Threads)
    {
        c.steps[i] = fast_exp(c.anchors[i + SLOTS] - c.anchors[i]);
    }

    __syncthreads();
    const bf16* gradient = a.dStates + place.state() * State;
    const bf16* state = a.states + place.state() * State;
    for (int slot = warp; slot < SLOTS; slot += Warps)
    {
        const float* step = c.steps + (RowTiles - 1) * SLOTS;
        float sum = stage_state<KEYS>(c.stage, gradient, state, step, slot)
            + stage_state<VALUES>(c.stage + SLOTS * KEYS, gradient + SLOTS * KEYS, state + SLOTS * KEYS, step, slot);
#pragma unroll
        for (int i = 16; i > 0; i /= 2)
        {
            sum += __shfl_xor_sync(0xFFFFFFFFu, sum, i);
        }

        if (lane == 0)
        {
            c.stateSums[slot] = c.documents[Tokens - 1] == 0 ? sum * fast_exp(c.anchors[RowTiles * SLOTS + slot]) : 0.0f;
        }
    }

    __syncthreads();

    // Warps of the same number modulo four share a scheduler: one of them has early tokens, which more rows read, the other late ones.
    bool isKey = warp < RowTiles;
    Rows rows(isKey ? warp : Warps - 1 - warp, c.documents);
    const bf16* y = isKey ? c.keys : c.values;
    Column column;
    with_depth(isKey, [&](auto d)
    {
        column.begin<d.Value>(isKey ? c.stage : c.stage + SLOTS * KEYS, y, c.writes, rows, c.documents[Tokens - 1], c.columnSums + warp * SLOTS);
    });

    bf16* queries = c.stage;
    bf16* outputs = queries + Columns::Heads * RowTile * KEYS;
    bf16* z = outputs + Columns::Heads * RowTile * VALUES;
    bf16* p = z + Columns::Heads * RowTile * SLOTS;
    int queryHeads = a.heads * a.groups;
    for (int tile = RowTiles - 1; tile >= 0; tile--)
    {
        if (tile < RowTiles - 1 && tile >= rows.tile)
        {
            column.step_to(c.steps + tile * SLOTS);
        }

        for (int group = 0; group < a.groups; group += Columns::Heads)
        {
            int heads = min(Columns::Heads, a.groups - group), head = place.head * a.groups + group;
            long long row = place.row * queryHeads + head;
            __syncthreads();
            stage_rows<KEYS>(queries, a.q + place.row * a.qStride + head * KEYS, a.qStride, KEYS, heads, tile * RowTile, place.count, MAPS);
            stage_rows<VALUES>(outputs, a.dOutput + row * VALUES, (long long)queryHeads * VALUES, VALUES, heads, tile * RowTile, place.count, false);
            stage_rows<SLOTS>(z, a.z + row * SLOTS, (long long)queryHeads * SLOTS, SLOTS, heads, tile * RowTile, place.count, false);
            stage_rows<SLOTS>(p, a.p + row * SLOTS, (long long)queryHeads * SLOTS, SLOTS, heads, tile * RowTile, place.count, false);
            __syncthreads();
            if (tile >= rows.tile)
            {
                with_depth(isKey, [&](auto d) { column.add<d.Value>(isKey ? queries : outputs, isKey ? z : p, heads, y, c.writes, rows, tile); });
            }
        }
    }

    __syncthreads();
    column.store_write((float*)c.stage + (isKey ? 0 : Tokens * SLOTS), rows);
    with_depth(isKey, [&](auto d)
    {
        constexpr int D = d.Value;
        bf16* to = isKey ? a.dk + place.row * a.dkStride : a.dv + place.row * a.dvStride;
        const bf16* raw = isKey ? a.k + place.row * a.kStride : a.v + place.row * a.vStride;
        column.store<D>(to + place.head * D, isKey ? a.dkStride : a.dvStride, raw + place.head * D, isKey ? a.kStride : a.vStride, rows, place.count);
    });

    // Gates: G_j's gradient is what rows j say of it less s_j ds_j, and the state's after the last; g_t's is the sum of those from t on.
    Gates gates(a, place, c.parts);
    const float* writeSums = (const float*)c.stage;
    float running = 0.0f, ds[PartTokens];
#pragma unroll
    for (int i = PartTokens - 1; i >= 0; i--)
    {
        int token = gates.first + i;
        int at = table_at(token, gates.slot);
        float unscale = fast_exp(c.anchors[token / RowTile * SLOTS + gates.slot] - gates.sum[i]);
        ds[i] = (writeSums[at] + writeSums[Tokens * SLOTS + at]) * unscale;
        float of = token < place.count ? a.rows[((place.row + token) * a.heads + place.head) * SLOTS + gates.slot] : 0.0f;
        running += of - gates.write[i] * ds[i];
        gates.sum[i] = running; // the gradient from here on
    }

    __syncthreads();
    c.parts[gates.part * SLOTS + gates.slot] = running;
    __syncthreads();
    float after = c.stateSums[gates.slot];
#pragma unroll
    for (int i = 0; i < Warps; i++)
    {
        after += c.columnSums[i * SLOTS + gates.slot];
    }

    for (int i = gates.part + 1; i < Parts; i++)
    {
        after += c.parts[i * SLOTS + gates.slot];
    }

#pragma unroll
    for (int i = 0; i < PartTokens; i++)
    {
        int token = gates.first + i;
        if (token < place.count)
        {
            float dg = a.starts != nullptr && a.starts[place.row + token] != 0 ? 0.0f : gates.sum[i] + after;
            long long at = gates.index(a, place, token, a.dGateStride);
            if constexpr (MAPS)
            {
                float f = widen(((const bf16*)a.gate)[gates.index(a, place, token, a.gateStride)]);
                ((bf16*)a.dGate)[at] = round_bf16(a.rate * sigmoid(-f) * (dg - (1.0f - gates.write[i]) * ds[i]));
            }
            else
            {
                ((float*)a.dGate)[at] = dg;
                a.dWrite[at] = ds[i];
            }
        }
    }
}
