// Second kernel of the backward.

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
