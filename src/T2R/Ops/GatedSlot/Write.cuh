// First kernel of the forward.

// What each chunk adds to the state, were it empty before: sum_j s_j exp(G_end - G_j) (x) k_j and v_j; and what it leaves of what was there.
struct WriteShared
{
    static constexpr int Bytes = 2 * Tokens * (KEYS + VALUES + SLOTS) + 4 * (Threads + Tokens);
};

template <int D>
__device__ __forceinline__ void write_part(const b16* factors, const b16* tile, b16* to)
{
    Gathered<D> gathered;
    gathered.add(factors, tile);
    gathered.store(to);
}

extern "C" __global__ void __launch_bounds__(Threads) gsa_write(const Arguments a)
{
    b16* keys = (b16*)shared;
    b16* values = keys + Tokens * KEYS;
    b16* factors = values + Tokens * VALUES;
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
        factors[Tile<SLOTS>::at(token, gates.slot)] = round_b16(s);
    }

    if (gates.part == 0)
    {
        a.decays[place.state() * SLOTS + gates.slot] = last == 0 ? fast_exp(gates.total) : 0.0f;
    }

    __syncthreads();
    b16* to = a.states + place.state() * State;
    write_part<KEYS>(factors, keys, to);
    write_part<VALUES>(factors, values, to + SLOTS * KEYS);
}
