// Between memory and the factors of products: a chunk's rows, through silu where the maps are in the kernels, and their gradients.

__device__ __forceinline__ unsigned map_pair(unsigned x) { return MAPS ? pack(silu(widen_low(x)), silu(widen_high(x))) : x; }
__device__ __forceinline__ uint4 map(uint4 x) { return make_uint4(map_pair(x.x), map_pair(x.y), map_pair(x.z), map_pair(x.w)); }

__device__ __forceinline__ unsigned slope_pair(unsigned x, float low, float high)
{
    float a = widen_low(x), b = widen_high(x);
    return MAPS ? pack(low * silu_slope(a, sigmoid(a)), high * silu_slope(b, sigmoid(b))) : pack(low, high);
}

// Stores a lane's eight neighbours; with MAPS times the slope at the raw input, which lies at the same place.
__device__ __forceinline__ void store_gradient(b16* to, const b16* raw, const float (&x)[8])
{
    uint4 at = MAPS ? *(const uint4*)raw : make_uint4(0, 0, 0, 0);
    *(uint4*)to = make_uint4(slope_pair(at.x, x[0], x[1]), slope_pair(at.y, x[2], x[3]), slope_pair(at.z, x[4], x[5]), slope_pair(at.w, x[6], x[7]));
}

template <int D>
__device__ __forceinline__ void load_tile(b16* tile, const b16* from, long long stride, int count, bool isMapped)
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
__device__ __forceinline__ void load_state(b16* tile, const b16* from)
{
    for (int u = threadIdx.x; u < SLOTS * (D / 8); u += Threads)
    {
        *(uint4*)(tile + Tile<D>::unit(u / (D / 8), u % (D / 8))) = *(const uint4*)(from + u * 8);
    }
}

// A row tile's left factor [16, D] straight from memory: rows of one head, tokens of tile i. Interleaved as tiles are.
template <int D>
__device__ __forceinline__ void load_left(unsigned (&x)[D / 16][4], const b16* from, long long stride, int first, int count, bool isMapped)
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
