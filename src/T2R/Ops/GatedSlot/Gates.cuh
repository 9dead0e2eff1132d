// Sums of log forget gates over a chunk, and the factors S made of them.

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
                g = a.starts != nullptr && a.starts[place.row + token] != 0 ? 0.0f : g < MostForgotten ? MostForgotten : g; // a NaN stays one
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
            float f = widen(((const b16*)a.gate)[i]);
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
