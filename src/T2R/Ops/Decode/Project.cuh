// y = W n for some sequences, each weight read once: a step's products. The depth is cut into eight slices; the sums of the first four are added in order, those of the last
// four likewise, then both. So a number's sum has one order, whatever the shape of a block is: what a sequence gives does not depend on how many there are.
//
// A block has eight warps. Shape: a warp makes 16 * Tiles rows of y for 8 * Columns sequences. RowWarps warps stand below each other and take as many slices, one after the
// other: 1, so that each warp has a slice of its own, or 4, which share the inputs that they read. Groups of 64 inputs come through a ring of Stages places in shared memory, so
// that enough bytes are under way; a lane waits for its own codes alone.

constexpr int Slices = 8, ProjectThreads = 256;

template <int tiles, int rowWarps, int columns, int stages>
struct Shape
{
    static constexpr int Tiles = tiles, RowWarps = rowWarps, Columns = columns;
    static_assert(RowWarps == 1 || RowWarps == 4, "sums of slices are added by fours");
    static constexpr int BlockTiles = Tiles * RowWarps, Rows = BlockTiles * 16, Sequences = Columns * 8, Parts = 8 / RowWarps;

    // A place of the ring: codes of eight warps, their scales, inputs of each part.
    static constexpr int CodeBytes = Tiles * Copies * 32 * 16, ScaleBytes = HasScales ? Tiles * 32 : 0, InputBytes = Sequences * Together * 2;
    static constexpr int InputsAt = 8 * CodeBytes, ScalesAt = InputsAt + Parts * InputBytes, StageBytes = ScalesAt + 8 * ScaleBytes;

    // What the parts found lies where the ring lay. A card with little shared memory gets the least ring.
    static constexpr int Stages = stages * StageBytes + Sequences * 4 <= MOST_SHARED ? stages : 2;
    static constexpr int RingBytes = Stages * StageBytes, FoundBytes = Parts * Sequences * Rows * 4;
    static constexpr int InversesAt = RingBytes > FoundBytes ? RingBytes : FoundBytes, SharedBytes = InversesAt + Sequences * 4;
};

__device__ __forceinline__ float sum_of_warp(float x)
{
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1)
    {
        x += __shfl_xor_sync(0xFFFFFFFFu, x, mask);
    }

    return x;
}

// 1 / root mean square of each sequence's inputs, over the scale of their norm's weight.
__device__ __forceinline__ void find_inverses(float* inverses, const Squares& squares, int batch)
{
    int lane = threadIdx.x & 31;
    for (int b = threadIdx.x >> 5; b < batch; b += ProjectThreads / 32)
    {
        float sum = 0.0f;
        if (squares.parts)
        {
            for (int i = lane; i < squares.count; i += 32)
            {
                sum += squares.parts[b * squares.count + i];
            }

            sum = sum_of_warp(sum);
        }

        if (lane == 0)
        {
            inverses[b] = squares.parts ? rsqrtf(sum / squares.size + squares.epsilon) * squares.scale : 1.0f;
        }
    }
}

// One warp's way through its slices.
template <class S>
struct Ring
{
    const ProjectArguments& a;
    unsigned char* places;
    int warp, lane, part, groups, each;
    Tile16 tiles[S::Tiles];

    __device__ __forceinline__ Ring(const ProjectArguments& a, unsigned char* places, const int (&all)[S::BlockTiles])
        : a(a), places(places), warp(threadIdx.x >> 5), lane(threadIdx.x & 31), part(warp / S::RowWarps), groups(a.depth / Together), each((groups + Slices - 1) / Slices)
    {
#pragma unroll
        for (int m = 0; m < S::Tiles; m++)
        {
            int tile = all[m];
#pragma unroll
            for (int i = 1; i < S::RowWarps; i++)
            {
                tile = warp % S::RowWarps == i ? all[i * S::Tiles + m] : tile;
            }

            tiles[m].set(a.stack, tile, a.depth, a.rows - 1);
        }
    }

    __device__ __forceinline__ int count() const { return each * S::RowWarps; }

    // The i-th group of the warp's slices; at the depth's end there may be none.
    __device__ __forceinline__ int group(int i) const { return part * S::RowWarps * each + i; }

    __device__ __forceinline__ unsigned char* codes(int stage) const { return places + stage * S::StageBytes + warp * S::CodeBytes; }
    __device__ __forceinline__ unsigned char* scales(int stage) const { return places + stage * S::StageBytes + S::ScalesAt + warp * S::ScaleBytes; }
    __device__ __forceinline__ unsigned char* inputs(int stage) const { return places + stage * S::StageBytes + S::InputsAt + part * S::InputBytes; }

    // Where eight inputs of a sequence lie, in a row of units that is turned for every other sequence: what eight lanes read at once lies in different banks.
    static __device__ __forceinline__ int input_at(int sequence, int unit)
    {
        return (sequence * 8 + (unit ^ (sequence & 1) * Turned)) * 16;
    }

    __device__ __forceinline__ bool is_there(int i) const { return i < count() && group(i) < groups; }

    // Codes and scales of the i-th group; no other kernel writes them.
    __device__ __forceinline__ void ask_codes(int i)
    {
        int g = group(i), stage = i % S::Stages;
        if (!is_there(i))
        {
            return;
        }

        uint4* to = (uint4*)codes(stage) + lane;
#pragma unroll
        for (int m = 0; m < S::Tiles; m++)
        {
#pragma unroll
            for (int copy = 0; copy < Copies; copy++)
            {
                copy_later<16>(to + (m * Copies + copy) * 32, tiles[m].from(g, copy));
            }

            if (HasScales && lane < 8)
            {
                copy_later<4>(scales(stage) + m * 32 + lane * 4, tiles[m].scales_from(g));
            }
        }
    }

    __device__ __forceinline__ void ask_inputs(int i)
    {
        int g = group(i), stage = i % S::Stages;
        if (!is_there(i))
        {
            return;
        }

#pragma unroll
        for (int u = 0; u < S::Sequences * 8 / (32 * S::RowWarps); u++)
        {
            int at = u * 32 * S::RowWarps + warp % S::RowWarps * 32 + lane, sequence = at / 8, unit = at % 8;
            bool is = sequence < a.batch;
            copy_later_or_zero(inputs(stage) + input_at(sequence, unit), a.inputs + (is ? (long long)sequence * a.depth + g * Together + unit * 8 : 0), is);
        }
    }

    // sums += the i-th group's products.
    __device__ __forceinline__ void multiply_group(float (&sums)[S::Tiles][S::Columns][4], int i) const
    {
        int stage = i % S::Stages, r = lane >> 2, t = lane & 3;
        const uint4* from = (const uint4*)codes(stage) + lane;
        const unsigned char* x = inputs(stage);
        unsigned left[S::Tiles][4][4];
        float scale[S::Tiles][2];
#pragma unroll
        for (int m = 0; m < S::Tiles; m++)
        {
            unsigned above[8], below[8];
            widen(above, below, from + m * Copies * 32);
#pragma unroll
            for (int k = 0; k < 4; k++)
            {
                left[m][k][0] = above[k * 2];
                left[m][k][1] = below[k * 2];
                left[m][k][2] = above[k * 2 + 1];
                left[m][k][3] = below[k * 2 + 1];
            }

            const bf16* of = (const bf16*)(scales(stage) + m * 32);
            scale[m][0] = HasScales ? widen_bf16(of[r]) : 1.0f;
            scale[m][1] = HasScales ? widen_bf16(of[8 + r]) : 1.0f;
        }

#pragma unroll
        for (int n = 0; n < S::Columns; n++)
        {
            unsigned right[8];
            put(right, *(const uint4*)(x + input_at(n * 8 + r, input_unit(t, 0))));
            put(right + 4, *(const uint4*)(x + input_at(n * 8 + r, input_unit(t, 1))));
#pragma unroll
            for (int m = 0; m < S::Tiles; m++)
            {
                float fresh[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
                for (int k = 0; k < 4; k++)
                {
                    multiply(HasScales ? fresh : sums[m][n], left[m][k], right[k * 2], right[k * 2 + 1]);
                }

                if (HasScales)
                {
                    sums[m][n][0] += fresh[0] * scale[m][0];
                    sums[m][n][1] += fresh[1] * scale[m][0];
                    sums[m][n][2] += fresh[2] * scale[m][1];
                    sums[m][n][3] += fresh[3] * scale[m][1];
                }
            }
        }
    }
};

// What a block's parts found. Rows lie side by side.
template <class S>
struct Found
{
    float *sums, *inverses;

    __device__ __forceinline__ Found(unsigned char* shared) : sums((float*)shared), inverses((float*)(shared + S::InversesAt)) { }

    __device__ __forceinline__ void put(const float (&found)[S::Tiles][S::Columns][4], int part, int firstRow)
    {
        int lane = threadIdx.x & 31, r = lane >> 2, c = (lane & 3) * 2;
        float* to = sums + part * S::Sequences * S::Rows + firstRow;
#pragma unroll
        for (int m = 0; m < S::Tiles; m++)
        {
#pragma unroll
            for (int n = 0; n < S::Columns; n++)
            {
#pragma unroll
                for (int i = 0; i < 4; i++)
                {
                    to[(n * 8 + c + (i & 1)) * S::Rows + m * 16 + r + (i >> 1) * 8] = found[m][n][i];
                }
            }
        }
    }

    // y of one of the block's rows and a sequence.
    __device__ __forceinline__ float get(int row, int sequence) const
    {
        float halves[2];
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            halves[half] = of(half * S::Parts / 2, row, sequence);
#pragma unroll
            for (int part = 1; part < S::Parts / 2; part++)
            {
                halves[half] += of(half * S::Parts / 2 + part, row, sequence);
            }
        }

        return (halves[0] + halves[1]) * inverses[sequence];
    }

private:
    __device__ __forceinline__ float of(int part, int row, int sequence) const { return sums[(part * S::Sequences + sequence) * S::Rows + row]; }
};

template <class S>
__device__ __forceinline__ Found<S> find(const ProjectArguments& a, const int (&tiles)[S::BlockTiles])
{
    Found<S> found(shared);
    Ring<S> ring(a, shared, tiles);
    let_next_start();
#pragma unroll
    for (int i = 0; i < S::Stages - 1; i++)
    {
        ring.ask_codes(i);
    }

    await_earlier();
#pragma unroll
    for (int i = 0; i < S::Stages - 1; i++)
    {
        ring.ask_inputs(i);
        commit_copies();
    }

    find_inverses(found.inverses, a.squares, a.batch);
    float sums[S::Tiles][S::Columns][4] = {}, total[S::Tiles][S::Columns][4] = {};
    int count = ring.count();
    for (int i = 0; i < count; i++)
    {
        await_copies<S::Stages - 2>();
        if (S::RowWarps > 1)
        {
            __syncthreads();
        }
        else
        {
            __syncwarp();
        }

        ring.ask_codes(i + S::Stages - 1);
        ring.ask_inputs(i + S::Stages - 1);
        commit_copies();
        if (ring.is_there(i))
        {
            ring.multiply_group(sums, i);
        }

        if (S::RowWarps > 1 && (i + 1) % ring.each == 0)
        {
#pragma unroll
            for (int m = 0; m < S::Tiles; m++)
            {
#pragma unroll
                for (int n = 0; n < S::Columns; n++)
                {
#pragma unroll
                    for (int e = 0; e < 4; e++)
                    {
                        total[m][n][e] += sums[m][n][e];
                        sums[m][n][e] = 0.0f;
                    }
                }
            }
        }
    }

    // Nobody reads the ring any more.
    __syncthreads();
    found.put(S::RowWarps > 1 ? total : sums, ring.part, ring.warp % S::RowWarps * S::Tiles * 16);
    __syncthreads();
    return found;
}

// Sixteen neighbouring threads take a sequence's numbers of sixteen neighbouring rows; whole warps call, threads beyond the end with false.
template <int Tiles, class Body>
__device__ __forceinline__ void for_each(int batch, Body body)
{
    int all = Tiles * batch * 16;
    for (int i = threadIdx.x; i < (all + 31) / 32 * 32; i += ProjectThreads)
    {
        body(i < all, i / 16 % Tiles, i & 15, i < all ? i / 16 / Tiles : 0);
    }
}

// A block's tiles, one below the other; the last block repeats the last.
template <int Count>
__device__ __forceinline__ void take_tiles(int* tiles, int rows)
{
#pragma unroll
    for (int m = 0; m < Count; m++)
    {
        tiles[m] = min((int)blockIdx.x * Count + m, (rows - 1) / 16);
    }
}

template <class S>
__device__ __forceinline__ void project(const ProjectArguments& a)
{
    int tiles[S::BlockTiles];
    take_tiles<S::BlockTiles>(tiles, a.rows);
    auto found = find<S>(a, tiles);
    for_each<S::BlockTiles>(a.batch, [&](bool is, int m, int r, int b)
    {
        int row = ((int)blockIdx.x * S::BlockTiles + m) * 16 + r;
        if (is && row < a.rows)
        {
            a.outputs[(long long)b * a.rows + row] = found.get(m * 16 + r, b);
        }
    });
}

// Puts a number into the stream; the sixteen threads of a tile call together.
__device__ __forceinline__ void put_in_stream(const Stream& stream, bool is, int rows, int row, int b, float x)
{
    float square = is ? x * x : 0.0f;
#pragma unroll
    for (int mask = 8; mask > 0; mask >>= 1)
    {
        square += __shfl_xor_sync(0xFFFFFFFFu, square, mask);
    }

    if (is)
    {
        long long at = (long long)b * rows + row;
        stream.x[at] = x;
        stream.normed[at] = round_b16(x * stream.norm[row]);
        if (row % 16 == 0)
        {
            stream.squares[at / 16] = square;
        }
    }
}

template <class S>
__device__ __forceinline__ void project_added(const ProjectArguments& a)
{
    int tiles[S::BlockTiles];
    take_tiles<S::BlockTiles>(tiles, a.rows);
    auto found = find<S>(a, tiles);
    for_each<S::BlockTiles>(a.batch, [&](bool is, int m, int r, int b)
    {
        int row = ((int)blockIdx.x * S::BlockTiles + m) * 16 + r;
        is &= row < a.rows;
        put_in_stream(a.stream, is, a.rows, row, b, is ? a.stream.x[(long long)b * a.rows + row] + found.get(m * 16 + r, b) : 0.0f);
    });
}

// The stack's upper half is the gate, its lower half what it gates: silu(gate) o up.
template <class S>
__device__ __forceinline__ void project_gated(const ProjectArguments& a)
{
    constexpr int Pairs = S::BlockTiles / 2;
    int rows = a.rows / 2, tiles[S::BlockTiles];
    take_tiles<Pairs>(tiles, rows);
#pragma unroll
    for (int m = 0; m < Pairs; m++)
    {
        tiles[Pairs + m] = tiles[m] + rows / 16;
    }

    auto found = find<S>(a, tiles);
    for_each<Pairs>(a.batch, [&](bool is, int m, int r, int b)
    {
        int row = ((int)blockIdx.x * Pairs + m) * 16 + r;
        if (is && row < rows)
        {
            float gate = found.get(m * 16 + r, b), up = found.get((Pairs + m) * 16 + r, b);
            a.gated[(long long)b * rows + row] = round_b16(gate / (1.0f + expf(-gate)) * up);
        }
    });
}

// Small blocks where a sequence's inputs are little beside the weights, large ones where they would be read too often.
template <int columns> struct Shapes;
template <> struct Shapes<1> { typedef Shape<1, 1, 1, HasScales ? 6 : 4> Plain; typedef Shape<2, 1, 1, HasScales ? 4 : 3> Gated; };
template <> struct Shapes<2> { typedef Shape<1, 1, 2, 3> Plain; typedef Shape<2, 1, 2, 2> Gated; };
template <> struct Shapes<4> { typedef Shape<1, 1, 4, 2> Plain; typedef Shape<2, 1, 4, 2> Gated; };
template <> struct Shapes<8> { typedef Shape<2, 1, 8, 2> Plain; typedef Shape<1, 4, 8, 3> Gated; };

#define PROJECTIONS(columns) \
    extern "C" __global__ void __launch_bounds__(ProjectThreads) project_##columns(const __grid_constant__ ProjectArguments a) { project<Shapes<columns>::Plain>(a); } \
    extern "C" __global__ void __launch_bounds__(ProjectThreads) project_added_##columns(const __grid_constant__ ProjectArguments a) { project_added<Shapes<columns>::Plain>(a); } \
    extern "C" __global__ void __launch_bounds__(ProjectThreads) project_gated_##columns(const __grid_constant__ ProjectArguments a) { project_gated<Shapes<columns>::Gated>(a); }

PROJECTIONS(1)
PROJECTIONS(2)
PROJECTIONS(4)
PROJECTIONS(8)

// For the host, by columns 1, 2, 4, 8: a block's tiles and shared memory, of project and project_added, then of project_gated.
#define SIZES(columns) Shapes<columns>::Plain::BlockTiles, Shapes<columns>::Plain::SharedBytes, Shapes<columns>::Gated::BlockTiles, Shapes<columns>::Gated::SharedBytes
extern "C" __device__ const int project_sizes[16] = {SIZES(1), SIZES(2), SIZES(4), SIZES(8)};
