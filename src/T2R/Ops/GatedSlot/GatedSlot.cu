// Gated slot attention in chunks of 64 tokens, forward and backward; compiled for a shape (KEYS, VALUES, SLOTS). The mathematics is Chunk.cs's. With G the sum of log
// forget gates since the chunk's start, A_i that sum in the middle of row tile i (16 tokens), H the state before the chunk, and t in tile i:
//
//   D_t = exp(G_t - A_i)            S_ij = s_j exp(A_i - G_j)          (j <= t)
//   logits_t = D_t o (exp(A_i) o (q_t Hk) + sum_j (q_t k_j) S_ij)      p = softmax
//   o_t      = (p D_t exp(A_i)) Hv + sum_j (p D_t . S_ij) v_j
//
// A token forgets at most e^9 in these factors: what is lost is 1e-4 of a state that it was to forget, under a bf16's rounding, and then no factor overflows whatever
// the gates: |G_t - A_i| <= 72 within a tile, and A_i - G_j <= 0 for tiles before. Documents are told apart by number, not by gates.
//
// MAPS: the inputs are as they come from their projections; queries, keys and values pass through silu here, and gates are made of logits f (GatedSlotMaps.cs).
//
// States in memory are bf16 [item, chunk, State]: keys [SLOTS, KEYS], then values [SLOTS, VALUES], rows interleaved as Tile.cuh says. An item is a sequence's key-value
// head; a block does one chunk of an item. What each kernel moves and computes, and how far it is from that floor: GatedSlot.md.

#include "Ops/Silu.cuh"
#include "Ops/Tile.cuh"

constexpr int Tokens = 64, RowTile = 16, RowTiles = Tokens / RowTile, Threads = 256, Warps = Threads / 32;
constexpr int State = SLOTS * (KEYS + VALUES);
constexpr int Parts = Threads / SLOTS, PartTokens = Tokens / Parts; // a thread's gates: one slot, some neighbouring tokens
constexpr int WriteRows = RowTile * RowTiles * (RowTiles + 1) / 2;  // of S: 16 for the first tile, 32 for the second, ...
constexpr float MostForgotten = -9.0f;
constexpr int TwoBlocks = MOST_SHARED / 2 - 1024; // bytes of shared memory with which two blocks fit on a multiprocessor

// Where a table [Tokens, SLOTS] of floats has an element: groups of eight are permuted within a row, so that eight rows' lie in different banks.
__device__ __forceinline__ int table_at(int token, int slot) { return token * SLOTS + (slot ^ ((token & (SLOTS / 8 - 1 & 7)) << 3)); }

static_assert(Threads % SLOTS == 0 && SLOTS % 16 == 0 && KEYS % 32 == 0 && VALUES % 32 == 0, "other shapes are Chunk.cs's");

__device__ constexpr int larger(int a, int b) { return a > b ? a : b; }

// CudaArguments.cs
struct Arguments
{
    const bf16* q;                // [B, T, H, KEYS]
    const bf16* k;                // [B, T, Hkv, KEYS]
    const bf16* v;                // [B, T, Hkv, VALUES]
    const void* gate;             // [B, T, Hkv, SLOTS]: with MAPS logits f, bf16; otherwise g, fp32
    const float* write;           // s like g; unused with MAPS
    const unsigned char* starts;  // where a document starts [B, T]; null: nowhere
    const float* firstKeys;       // initial state [B, Hkv, KEYS, SLOTS]; null: zeros
    const float* firstValues;     // [B, Hkv, SLOTS, VALUES]; null with firstKeys
    bf16* states;                 // [item, chunk, State]: what a chunk writes, then the state before it
    float* decays;                // [item, chunk, SLOTS]: what a chunk leaves of the state before it
    float* lastKeys;              // the state after the last token, laid out as the first
    float* lastValues;
    bf16* output;                 // [B, T, H, VALUES]

    const bf16* dOutput;          // [B, T, H, VALUES]
    const float* dLastKeys;       // null: zeros
    const float* dLastValues;     // null with dLastKeys
    bf16* p;                      // p D [B, T, H, SLOTS], interleaved
    bf16* z;                      // gradient of the logits times D, likewise
    float* rows;                  // [B, T, Hkv, SLOTS]: gradient of G_t from rows t
    bf16* dStates;                // like states: what a chunk's rows ask of the state before it, then the gradient of the state after it
    bf16* dq;
    bf16* dk;
    bf16* dv;
    void* dGate;                  // df, bf16, or dg, fp32
    float* dWrite;                // ds; unused with MAPS
    float* dFirstKeys;
    float* dFirstValues;

    long long qStride, kStride, vStride, gateStride;    // numbers from a token to the next, of inputs
    long long dqStride, dkStride, dvStride, dGateStride; // and gradients
    int batch, length, heads, groups;
    float rate;                   // 1 / tau
};

struct Place
{
    int head, chunk, item, chunks, count; // count: how many of the chunk's 64 tokens there are
    long long row;                        // of its first token among all sequences' tokens

    // Heads are innermost: neighbouring blocks read neighbouring memory.
    __device__ __forceinline__ Place(const Arguments& a, int block)
    {
        chunks = (a.length + Tokens - 1) / Tokens;
        head = block % a.heads;
        chunk = block / a.heads % chunks;
        int sequence = block / a.heads / chunks;
        item = sequence * a.heads + head;
        count = min(Tokens, a.length - chunk * Tokens);
        row = (long long)sequence * a.length + chunk * Tokens;
    }

    __device__ __forceinline__ long long state() const { return (long long)item * chunks + chunk; }
};

__device__ __forceinline__ unsigned map_pair(unsigned x) { return MAPS ? pack(silu(widen_low(x)), silu(widen_high(x))) : x; }
__device__ __forceinline__ uint4 map(uint4 x) { return make_uint4(map_pair(x.x), map_pair(x.y), map_pair(x.z), map_pair(x.w)); }

__device__ __forceinline__ unsigned slope_pair(unsigned x, float low, float high)
{
    float a = widen_low(x), b = widen_high(x);
    return MAPS ? pack(low * silu_slope(a, sigmoid(a)), high * silu_slope(b, sigmoid(b))) : pack(low, high);
}

// Stores a lane's eight neighbours; with MAPS times the slope at the raw input, which lies at the same place.
__device__ __forceinline__ void store_gradient(bf16* to, const bf16* raw, const float (&x)[8])
{
    uint4 at = MAPS ? *(const uint4*)raw : make_uint4(0, 0, 0, 0);
    *(uint4*)to = make_uint4(slope_pair(at.x, x[0], x[1]), slope_pair(at.y, x[2], x[3]), slope_pair(at.z, x[4], x[5]), slope_pair(at.w, x[6], x[7]));
}

template <int D>
__device__ __forceinline__ void load_tile(bf16* tile, const bf16* from, long long stride, int count, bool isMapped)
{
    for (int u = threadIdx.x; u < Tokens * (D / 8); u += Threads)
    {
        int row = u / (D / 8), unit = u % (D / 8);
        uint4 x = make_uint4(0, 0, 0, 0);
        if (row < count)
        {
            x = *(const uint4*)(from + row * stride + unit * 8);
        }

        Tile<D>::put(tile, row, unit, isMapped ? map(x) : x);
    }
}

// Rows of a state lie in memory as they do in a tile.
template <int D>
__device__ __forceinline__ void load_state(bf16* tile, const bf16* from)
{
    for (int u = threadIdx.x; u < SLOTS * (D / 8); u += Threads)
    {
        *(uint4*)(tile + Tile<D>::unit(u / (D / 8), u % (D / 8))) = *(const uint4*)(from + u * 8);
    }
}

// The number of documents that have started in the chunk, for each token; the last is the chunk's.
__device__ __forceinline__ void number_documents(int* documents, const Arguments& a, const Place& place)
{
    if (threadIdx.x < 32)
    {
        int before = 0;
        for (int half = 0; half < 2; half++)
        {
            int token = half * 32 + threadIdx.x;
            bool isStart = a.starts != nullptr && token < place.count && a.starts[place.row + token] != 0;
            unsigned starts = __ballot_sync(0xFFFFFFFFu, isStart);
            documents[token] = before + __popc(starts & (0xFFFFFFFFu >> (31 - threadIdx.x)));
            before += __popc(starts);
        }
    }
}

// A thread's gates: slot threadIdx.x % SLOTS, tokens first .. first + PartTokens - 1.
struct Gates
{
    float sum[PartTokens];   // G
    float write[PartTokens]; // s
    float total;             // G at the chunk's end
    int slot, part, first;

    // Needs parts [Parts, SLOTS] in shared memory.
    __device__ __forceinline__ Gates(const Arguments& a, const Place& place, float* parts)
    {
        slot = threadIdx.x % SLOTS;
        part = threadIdx.x / SLOTS;
        first = part * PartTokens;
        float running = 0.0f;
#pragma unroll
        for (int i = 0; i < PartTokens; i++)
        {
            int token = first + i;
            float g = 0.0f, s = 0.0f;
            if (token < place.count)
            {
                read(a, place, token, g, s);
                g = a.starts != nullptr && a.starts[place.row + token] != 0 ? 0.0f : fmaxf(g, MostForgotten);
            }

            running += g;
            sum[i] = running;
            write[i] = s;
        }

        parts[part * SLOTS + slot] = running;
        __syncthreads();
        float before = 0.0f;
        total = 0.0f;
        for (int i = 0; i < Parts; i++)
        {
            before = i == part ? total : before;
            total += parts[i * SLOTS + slot];
        }

#pragma unroll
        for (int i = 0; i < PartTokens; i++)
        {
            sum[i] += before;
        }
    }

    __device__ __forceinline__ long long index(const Arguments& a, const Place& place, int token, long long stride) const
    {
        return (place.row + token) * stride + place.head * SLOTS + slot;
    }

    __device__ __forceinline__ void read(const Arguments& a, const Place& place, int token, float& g, float& s) const
    {
        long long i = index(a, place, token, a.gateStride);
        if constexpr (MAPS)
        {
            float f = widen(((const bf16*)a.gate)[i]);
            g = (fminf(f, 0.0f) - log1pf(__expf(-fabsf(f)))) * a.rate;
            s = -expm1f(g);
        }
        else
        {
            g = ((const float*)a.gate)[i];
            s = a.write[i];
        }
    }
};

// A_i for each tile, and the whole chunk's sum after them.
__device__ __forceinline__ void write_anchors(float* anchors, const Gates& gates)
{
#pragma unroll
    for (int i = 0; i < PartTokens; i++)
    {
        int token = gates.first + i;
        if (token % RowTile == RowTile / 2 - 1)
        {
            anchors[token / RowTile * SLOTS + gates.slot] = gates.sum[i];
        }
    }

    if (gates.part == 0)
    {
        anchors[RowTiles * SLOTS + gates.slot] = gates.total;
    }
}

__device__ __forceinline__ constexpr int write_rows_before(int tile) { return RowTile * tile * (tile + 1) / 2; }

// S of every row tile. Needs the anchors.
__device__ __forceinline__ void fill_writes(bf16* writes, const Gates& gates, const float* anchors)
{
#pragma unroll
    for (int i = 0; i < PartTokens; i++)
    {
        int token = gates.first + i;
#pragma unroll
        for (int tile = 0; tile < RowTiles; tile++)
        {
            if (tile >= token / RowTile)
            {
                float s = gates.write[i] * fast_exp(anchors[tile * SLOTS + gates.slot] - gates.sum[i]);
                writes[Tile<SLOTS>::at(write_rows_before(tile) + token, gates.slot)] = round_bf16(s);
            }
        }
    }
}

// A lane's two rows of a row tile (lane / 4, and eight below it): which of the chunk's tokens they may read.
struct Rows
{
    int tile, token, document, documentBelow;
    const int* documents;

    __device__ __forceinline__ Rows(int tile, const int* documents) : tile(tile), documents(documents)
    {
        token = tile * RowTile + (threadIdx.x & 31) / 4;
        document = documents[token];
        documentBelow = documents[token + 8];
    }

    // Clears what rows may not read in the products [rows, 16 columns from column tile's start].
    __device__ __forceinline__ void mask(float (&w)[2][4], int columnTile) const
    {
#pragma unroll
        for (int n = 0; n < 2; n++)
        {
#pragma unroll
            for (int e = 0; e < 2; e++)
            {
                int column = columnTile * RowTile + n * 8 + (threadIdx.x & 3) * 2 + e, of = documents[column];
                w[n][e] = column <= token && of == document ? w[n][e] : 0.0f;
                w[n][2 + e] = column <= token + 8 && of == documentBelow ? w[n][2 + e] : 0.0f;
            }
        }
    }

    // The same with the factors changed: rows are the tokens read, columns those of a row tile.
    __device__ __forceinline__ void mask_transposed(float (&w)[2][4], int rowTile) const
    {
#pragma unroll
        for (int n = 0; n < 2; n++)
        {
#pragma unroll
            for (int e = 0; e < 2; e++)
            {
                int column = rowTile * RowTile + n * 8 + (threadIdx.x & 3) * 2 + e, of = documents[column];
                w[n][e] = token <= column && of == document ? w[n][e] : 0.0f;
                w[n][2 + e] = token + 8 <= column && of == documentBelow ? w[n][2 + e] : 0.0f;
            }
        }
    }
};

// A row tile's left factor [16, D] straight from memory: rows of one head, tokens of tile i. Interleaved as tiles are.
template <int D>
__device__ __forceinline__ void load_left(unsigned (&x)[D / 16][4], const bf16* from, long long stride, int first, int count, bool isMapped)
{
    int lane = threadIdx.x & 31, token = first + lane / 4;
    from += token * stride + (lane & 3) * 8;
#pragma unroll
    for (int i = 0; i < D / 32; i++)
    {
        uint4 above = make_uint4(0, 0, 0, 0), below = above;
        if (token < count)
        {
            above = *(const uint4*)(from + i * 32);
        }

        if (token + 8 < count)
        {
            below = *(const uint4*)(from + 8 * stride + i * 32);
        }

        if (isMapped)
        {
            above = map(above);
            below = map(below);
        }

        x[2 * i][0] = above.x;
        x[2 * i][1] = below.x;
        x[2 * i][2] = above.y;
        x[2 * i][3] = below.y;
        x[2 * i + 1][0] = above.z;
        x[2 * i + 1][1] = below.z;
        x[2 * i + 1][2] = above.w;
        x[2 * i + 1][3] = below.w;
    }
}

// What a chunk's blocks of rows share.
struct Chunk
{
    bf16 *keys, *values, *stateKeys, *stateValues;
    bf16* writes[2];                // S of each token's own row tile, and what rounding took from it
    float *decay, *anchors, *steps; // D, a table; A and the chunk's sum [RowTiles + 1, SLOTS]; exp(A_i - A_(i-1)) [RowTiles, SLOTS], A_(-1) = 0
    int* documents;

    static constexpr int Bytes = 2 * (Tokens * (KEYS + VALUES) + State + 2 * Tokens * SLOTS) + 4 * (Tokens * SLOTS + (2 * RowTiles + 1) * SLOTS + Tokens);

    __device__ __forceinline__ Chunk(unsigned char* shared)
    {
        keys = (bf16*)shared;
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
            writes[1][at] = round_bf16(s - widen(rounded));
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
    __device__ __forceinline__ void score(float (&sum)[SLOTS / 8][4], const unsigned (&x)[D / 16][4], const bf16* y, const bf16* state, const Rows& rows) const
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
                multiply(sum[2 * n], x[k], b[0], b[1]);
                multiply(sum[2 * n + 1], x[k], b[2], b[3]);
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
                    multiply(w[0], x[k], b[0], b[1]);
                    multiply(w[1], x[k], b[2], b[3]);
                }

                rows.mask(w, column);
                unsigned left[4], rest[4];
                as_left(left, w[0], w[1]);
                rest_of(w[0], left[0], left[1]);
                rest_of(w[1], left[2], left[3]);
                as_left(rest, w[0], w[1]);
#pragma unroll
                for (int n = 0; n < SLOTS / 16; n++)
                {
                    unsigned b[4];
                    Tile<SLOTS>::right_transposed(b, writes[0], column * RowTile, n * 16);
                    multiply(sum[2 * n], left, b[0], b[1]);
                    multiply(sum[2 * n + 1], left, b[2], b[3]);
                    multiply(sum[2 * n], rest, b[0], b[1]);
                    multiply(sum[2 * n + 1], rest, b[2], b[3]);
                    Tile<SLOTS>::right_transposed(b, writes[1], column * RowTile, n * 16);
                    multiply(sum[2 * n], left, b[0], b[1]);
                    multiply(sum[2 * n + 1], left, b[2], b[3]);
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
        float (&x)[SLOTS / 8][4], const bf16* y, const bf16* state, const Rows& rows, Store store) const
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
                    unsigned left[4];
                    as_left(left, x[2 * k], x[2 * k + 1]);
#pragma unroll
                    for (const bf16* written : writes)
                    {
                        unsigned b[4];
                        Tile<SLOTS>::right(b, written, column * RowTile, k * 16);
                        multiply(w[0], left, b[0], b[1]);
                        multiply(w[1], left, b[2], b[3]);
                    }
                }

                rows.mask(w, column);
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
                    multiply(o[2 * h], far[k], b[0], b[1]);
                    multiply(o[2 * h + 1], far[k], b[2], b[3]);
                }

#pragma unroll
                for (int column = 0; column < RowTiles; column++)
                {
                    if (column <= rows.tile)
                    {
                        unsigned b[4];
                        Tile<D>::right_transposed(b, y, column * RowTile, n);
                        multiply(o[2 * h], weights[column], b[0], b[1]);
                        multiply(o[2 * h + 1], weights[column], b[2], b[3]);
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

    __device__ __forceinline__ void add(const bf16* factors, const bf16* x)
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
                    multiply(sum[i][0], left, b[0], b[1]);
                    multiply(sum[i][1], left, b[2], b[3]);
                    Tile<D>::right_transposed(b, x, k, n + 16);
                    multiply(sum[i][2], left, b[0], b[1]);
                    multiply(sum[i][3], left, b[2], b[3]);
                }
            }
        }
    }

    // Rows [SLOTS, D] in the tiles' order of positions.
    __device__ __forceinline__ void store(bf16* to) const
    {
        int lane = threadIdx.x & 31;
#pragma unroll
        for (int i = 0; i < Most; i++)
        {
            int piece = i * Warps + threadIdx.x / 32;
            if (piece < Pieces)
            {
                bf16* row = to + (piece / (D / 32) * 16 + lane / 4) * D + piece % (D / 32) * 32 + (lane & 3) * 2;
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

extern __shared__ __align__(16) unsigned char shared[];

// What each chunk adds to the state, were it empty before: sum_j s_j exp(G_end - G_j) (x) k_j and v_j; and what it leaves of what was there.
struct WriteShared
{
    static constexpr int Bytes = 2 * Tokens * (KEYS + VALUES + SLOTS) + 4 * (Threads + Tokens);
};

template <int D>
__device__ __forceinline__ void write_part(const bf16* factors, const bf16* tile, bf16* to)
{
    Gathered<D> gathered;
    gathered.add(factors, tile);
    gathered.store(to);
}

extern "C" __global__ void __launch_bounds__(Threads) gsa_write(const Arguments a)
{
    bf16* keys = (bf16*)shared;
    bf16* values = keys + Tokens * KEYS;
    bf16* factors = values + Tokens * VALUES;
    float* parts = (float*)(factors + Tokens * SLOTS);
    int* documents = (int*)(parts + Threads);

    Place place(a, blockIdx.x);
    number_documents(documents, a, place);
    load_tile<KEYS>(keys, a.k + place.row * a.kStride + place.head * KEYS, a.kStride, place.count, MAPS);
    load_tile<VALUES>(values, a.v + place.row * a.vStride + place.head * VALUES, a.vStride, place.count, MAPS);
    Gates gates(a, place, parts);
    int last = documents[Tokens - 1];
#pragma unroll
    for (int i = 0; i < PartTokens; i++)
    {
        int token = gates.first + i;
        float s = documents[token] == last ? gates.write[i] * fast_exp(gates.total - gates.sum[i]) : 0.0f;
        factors[Tile<SLOTS>::at(token, gates.slot)] = round_bf16(s);
    }

    if (gates.part == 0)
    {
        a.decays[place.state() * SLOTS + gates.slot] = last == 0 ? fast_exp(gates.total) : 0.0f;
    }

    __syncthreads();
    bf16* to = a.states + place.state() * State;
    write_part<KEYS>(factors, keys, to);
    write_part<VALUES>(factors, values, to + SLOTS * KEYS);
}

// Where number e of an item's state lies in [KEYS, SLOTS] or [SLOTS, VALUES].
struct Spot
{
    bool isKey;
    int slot, index;

    __device__ __forceinline__ Spot(int e)
    {
        isKey = e < SLOTS * KEYS;
        int rest = isKey ? e : e - SLOTS * KEYS, depth = isKey ? KEYS : VALUES;
        slot = rest / depth;
        int position = rest % depth, within = position % 32;
        int number = position - within + (within % 8 / 2) * 8 + within / 8 * 2 + within % 2;
        index = isKey ? number * SLOTS + slot : slot * VALUES + number;
    }
};

// The states before each chunk in place of what each adds, first to last; or, last to first, the gradients of the states after each in place of what each asks.
__device__ __forceinline__ void scan(
    bf16* states, const float* decays, const float* keys, const float* values, float* endKeys, float* endValues, int chunks, bool isBackward)
{
    constexpr int Ahead = 16;
    int pair = blockIdx.x * Threads + threadIdx.x, item = pair / (State / 2), e = pair % (State / 2) * 2;
    Spot low(e), high(e + 1);
    long long keysAt = (long long)item * KEYS * SLOTS, valuesAt = (long long)item * SLOTS * VALUES;
    const float* first = low.isKey ? keys + keysAt : values + valuesAt;
    float x = keys == nullptr ? 0.0f : first[low.index], y = keys == nullptr ? 0.0f : first[high.index];

    int from = isBackward ? chunks - 1 : 0, step = isBackward ? -1 : 1;
    for (int i = 0; i < chunks; i += Ahead)
    {
        unsigned added[Ahead];
        float decay[Ahead];
#pragma unroll
        for (int j = 0; j < Ahead; j++)
        {
            if (i + j < chunks)
            {
                long long at = (long long)item * chunks + from + (i + j) * step;
                added[j] = *(const unsigned*)(states + at * State + e);
                decay[j] = decays[at * SLOTS + low.slot];
            }
        }

#pragma unroll
        for (int j = 0; j < Ahead; j++)
        {
            if (i + j < chunks)
            {
                long long at = (long long)item * chunks + from + (i + j) * step;
                *(unsigned*)(states + at * State + e) = pack(x, y);
                x = x * decay[j] + widen_low(added[j]);
                y = y * decay[j] + widen_high(added[j]);
            }
        }
    }

    float* end = low.isKey ? endKeys + keysAt : endValues + valuesAt;
    end[low.index] = x;
    end[high.index] = y;
}

extern "C" __global__ void __launch_bounds__(Threads) gsa_scan(const Arguments a)
{
    scan(a.states, a.decays, a.firstKeys, a.firstValues, a.lastKeys, a.lastValues, (a.length + Tokens - 1) / Tokens, false);
}

extern "C" __global__ void __launch_bounds__(Threads) gsa_scan_backward(const Arguments a)
{
    scan(a.dStates, a.decays, a.dLastKeys, a.dLastValues, a.dFirstKeys, a.dFirstValues, (a.length + Tokens - 1) / Tokens, true);
}

// Tile 0 .. RowTiles - 1 of a query head. Every second pass turns the order round, so that each warp gets long and short tiles.
__device__ __forceinline__ bool next_tile(int pass, int groups, int& group, int& tile)
{
    int i = pass * Warps + threadIdx.x / 32;
    group = i / RowTiles;
    tile = pass & 1 ? RowTiles - 1 - i % RowTiles : i % RowTiles;
    return group < groups;
}

extern "C" __global__ void __launch_bounds__(Threads, Chunk::Bytes <= TwoBlocks ? 2 : 1) gsa_output(const Arguments a)
{
    Chunk chunk(shared);
    Place place(a, blockIdx.x);
    chunk.load(a, place);
    int group, tile, lane = threadIdx.x & 31;
    for (int pass = 0; next_tile(pass, a.groups, group, tile); pass++)
    {
        int head = place.head * a.groups + group;
        Rows rows(tile, chunk.documents);
        float p[SLOTS / 8][4], logSum[2];
        {
            unsigned q[KEYS / 16][4];
            load_left<KEYS>(q, a.q + place.row * a.qStride + head * KEYS, a.qStride, tile * RowTile, place.count, MAPS);
            chunk.score<KEYS>(p, q, chunk.keys, chunk.stateKeys, rows);
        }

        chunk.times_decay(p, rows);
        chunk.softmax(p, logSum);
        chunk.times_decay(p, rows);

        bf16* to = a.output + ((place.row + rows.token) * a.heads * a.groups + head) * VALUES + (lane & 3) * 8;
        long long below = 8LL * a.heads * a.groups * VALUES;
        chunk.spread<VALUES>(p, chunk.values, chunk.stateValues, rows, [&](int i, const float (&up)[8], const float (&down)[8])
        {
            if (rows.token < place.count)
            {
                *(uint4*)(to + i * 32) = make_uint4(pack(up[0], up[1]), pack(up[2], up[3]), pack(up[4], up[5]), pack(up[6], up[7]));
            }

            if (rows.token + 8 < place.count)
            {
                *(uint4*)(to + below + i * 32) = make_uint4(pack(down[0], down[1]), pack(down[2], down[3]), pack(down[4], down[5]), pack(down[6], down[7]));
            }
        });
    }
}

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

// What unit u of a row of factors holds: number n of its eight belongs to this slot.
__device__ __forceinline__ int slot_of(int u, int n) { return SLOTS % 32 == 0 ? (u >> 2) * 32 + n / 2 * 8 + (u & 3) * 2 + (n & 1) : u * 8 + n; }

// What a chunk's rows ask of the state before it: sum over rows of (z exp(A)) (x) q and (p D exp(A)) (x) dOutput.
struct AskShared
{
    static constexpr int Bytes = 2 * Tokens * (larger(KEYS, VALUES) + SLOTS) + 4 * (Threads + (2 * RowTiles + 1) * SLOTS + Tokens);
};

// A head's factors [Tokens, SLOTS], times exp(A).
__device__ __forceinline__ void load_factors(bf16* tile, const bf16* from, long long stride, const float* scales, const int* documents, int count)
{
    for (int i = threadIdx.x; i < Tokens * (SLOTS / 8); i += Threads)
    {
        int row = i / (SLOTS / 8), u = i % (SLOTS / 8);
        uint4 x = make_uint4(0, 0, 0, 0);
        if (row < count && documents[row] == 0)
        {
            x = *(const uint4*)(from + row * stride + u * 8);
            const float* scale = scales + row / RowTile * SLOTS;
            x.x = pack(widen_low(x.x) * scale[slot_of(u, 0)], widen_high(x.x) * scale[slot_of(u, 1)]);
            x.y = pack(widen_low(x.y) * scale[slot_of(u, 2)], widen_high(x.y) * scale[slot_of(u, 3)]);
            x.z = pack(widen_low(x.z) * scale[slot_of(u, 4)], widen_high(x.z) * scale[slot_of(u, 5)]);
            x.w = pack(widen_low(x.w) * scale[slot_of(u, 6)], widen_high(x.w) * scale[slot_of(u, 7)]);
        }

        Tile<SLOTS>::put(tile, row, u, x);
    }
}

// Of keys or of values: x and factors are those of the chunk's first token and first head.
template <int D>
__device__ __forceinline__ void ask_part(
    bf16* tile, bf16* factorTile, const float* scales, const int* documents, int count, int groups, const bf16* x, long long stride, bool isMapped,
    const bf16* factors, long long factorStride, bf16* to)
{
    Gathered<D> gathered;
    for (int group = 0; group < groups; group++)
    {
        __syncthreads();
        load_tile<D>(tile, x + group * D, stride, count, isMapped);
        load_factors(factorTile, factors + group * SLOTS, factorStride, scales, documents, count);
        __syncthreads();
        gathered.add(factorTile, tile);
    }

    gathered.store(to);
}

// One part after the other: four blocks with one sum each hide more of the loads than two with both.
extern "C" __global__ void __launch_bounds__(Threads) gsa_ask(const Arguments a)
{
    bf16* tile = (bf16*)shared;
    bf16* factors = tile + Tokens * larger(KEYS, VALUES);
    float* parts = (float*)(factors + Tokens * SLOTS);
    float* anchors = parts + Threads;
    float* scales = anchors + (RowTiles + 1) * SLOTS;
    int* documents = (int*)(scales + RowTiles * SLOTS);

    Place place(a, blockIdx.x);
    number_documents(documents, a, place);
    {
        Gates gates(a, place, parts);
        write_anchors(anchors, gates);
    }

    __syncthreads();
    for (int i = threadIdx.x; i < RowTiles * SLOTS; i += Threads)
    {
        scales[i] = fast_exp(anchors[i]);
    }

    int queryHeads = a.heads * a.groups, head = place.head * a.groups;
    long long row = place.row * queryHeads + head, stride = (long long)queryHeads * SLOTS;
    bf16* to = a.dStates + place.state() * State;
    ask_part<KEYS>(tile, factors, scales, documents, place.count, a.groups, a.q + place.row * a.qStride + head * KEYS, a.qStride, MAPS, a.z + row * SLOTS, stride, to);
    ask_part<VALUES>(
        tile, factors, scales, documents, place.count, a.groups, a.dOutput + row * VALUES, (long long)queryHeads * VALUES, false, a.p + row * SLOTS, stride, to + SLOTS * KEYS);
}

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

// One warp's 16 tokens j of the chunk, as keys (D = KEYS: factors z, rows q) or as values (factors p D, rows dOutput).
template <int D>
struct Column
{
    float sum[D / 8][4];       // dk or dv [16, D]
    float write[SLOTS / 8][4]; // gradient of S_ij [16, SLOTS], i the row tile at hand

    // From the state after the chunk: its gradient is a tile [SLOTS, D], y the chunk's keys or values. Counted in S of the last tile.
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
                multiply(sum[2 * n], left, b[0], b[1]);
                multiply(sum[2 * n + 1], left, b[2], b[3]);
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
                multiply(write[2 * n], left, b[0], b[1]);
                multiply(write[2 * n + 1], left, b[2], b[3]);
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
                multiply(weights[0], left, b[0], b[1]);
                multiply(weights[1], left, b[2], b[3]);
            }

#pragma unroll
            for (int k = 0; k < D / 16; k++)
            {
                unsigned left[4], b[4];
                Tile<D>::left(left, y, rows.tile * RowTile, k * 16);
                Tile<D>::right(b, x, row, k * 16);
                multiply(products[0], left, b[0], b[1]);
                multiply(products[1], left, b[2], b[3]);
            }

            rows.mask_transposed(weights, rowTile);
            rows.mask_transposed(products, rowTile);
            unsigned left[4];
            as_left(left, weights[0], weights[1]);
#pragma unroll
            for (int n = 0; n < D / 16; n++)
            {
                unsigned b[4];
                Tile<D>::right_transposed(b, x, row, n * 16);
                multiply(sum[2 * n], left, b[0], b[1]);
                multiply(sum[2 * n + 1], left, b[2], b[3]);
            }

            unsigned rest[4];
            as_left(left, products[0], products[1]);
            rest_of(products[0], left[0], left[1]);
            rest_of(products[1], left[2], left[3]);
            as_left(rest, products[0], products[1]);
#pragma unroll
            for (int n = 0; n < SLOTS / 16; n++)
            {
                unsigned b[4];
                Tile<SLOTS>::right_transposed(b, factors, row, n * 16);
                multiply(write[2 * n], left, b[0], b[1]);
                multiply(write[2 * n + 1], left, b[2], b[3]);
                multiply(write[2 * n], rest, b[0], b[1]);
                multiply(write[2 * n + 1], rest, b[2], b[3]);
            }
        }
    }

    // dk or dv; to and raw are those of the chunk's first token.
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

template <int D, bool IsKey>
__device__ __forceinline__ void columns_backward(const Columns& c, const Arguments& a, const Place& place)
{
    Rows rows(threadIdx.x / 32 % RowTiles, c.documents);
    const bf16* y = IsKey ? c.keys : c.values;
    Column<D> column;
    column.begin(IsKey ? c.stage : c.stage + SLOTS * KEYS, y, c.writes, rows, c.documents[Tokens - 1], c.columnSums + threadIdx.x / 32 * SLOTS);

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
                column.add(IsKey ? queries : outputs, IsKey ? z : p, heads, y, c.writes, rows, tile);
            }
        }
    }

    __syncthreads();
    column.store_write((float*)c.stage + (IsKey ? 0 : Tokens * SLOTS), rows);
    if constexpr (IsKey)
    {
        column.store(a.dk + place.row * a.dkStride + place.head * KEYS, a.dkStride, a.k + place.row * a.kStride + place.head * KEYS, a.kStride, rows, place.count);
    }
    else
    {
        column.store(a.dv + place.row * a.dvStride + place.head * VALUES, a.dvStride, a.v + place.row * a.vStride + place.head * VALUES, a.vStride, rows, place.count);
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
    if (warp < RowTiles)
    {
        columns_backward<KEYS, true>(c, a, place);
    }
    else
    {
        columns_backward<VALUES, false>(c, a, place);
    }

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

// Bytes of shared memory that the kernels need, for the host: write, output and rows_backward, ask, columns_backward.
extern "C" __device__ const int gsa_shared[4] = {WriteShared::Bytes, Chunk::Bytes, AskShared::Bytes, Columns::Bytes};
