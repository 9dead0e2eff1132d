// y = W n for some sequences, each weight read once: a step's products. The depth is cut into eight slices, whose sums are added in order; within a slice inputs follow each
// other. So a number's sum has one order, whatever the shape of a block is: what a sequence gives does not depend on how many there are.
//
// A block has eight warps. Shape: a warp makes 16 * Tiles rows of y for 8 * Columns sequences; RowWarps warps stand below each other and share inputs through the cache, the
// others take slices of their own. Codes of Ahead groups of inputs are on their way at once.

constexpr int Slices = 8, ProjectThreads = 256;

template <int tiles, int rowWarps, int columns, int ahead>
struct Shape
{
    static constexpr int Tiles = tiles, RowWarps = rowWarps, Columns = columns, Ahead = ahead;
    static constexpr int BlockTiles = Tiles * RowWarps, Rows = BlockTiles * 16, Sequences = Columns * 8, SliceWarps = 8 / RowWarps;
    static constexpr int SharedBytes = Slices * Sequences * Rows * 4 + Sequences * 4;
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

// A row of the stack: where it lies.
struct Row
{
    const unsigned char* codes;
    const bf16* scales;
};

__device__ __forceinline__ Row row_of(const Stack& stack, int row, int depth)
{
    int i = 0;
    while (row >= stack.ends[i])
    {
        i++;
    }

    row -= i == 0 ? 0 : stack.ends[i - 1];
    return {stack.codes[i] + row * row_bytes(depth), HasScales ? stack.scales[i] + (long long)row * (depth / Together) : nullptr};
}

// 1 / root mean square of each sequence's inputs.
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
            inverses[b] = squares.parts ? rsqrtf(sum / squares.size + squares.epsilon) : 1.0f;
        }
    }
}

// A lane's inputs of a group: 16 of one sequence for each eight sequences.
template <int Columns>
__device__ __forceinline__ void load_inputs(uint4 (&x)[Columns][2], const ProjectArguments& a, int group)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int n = 0; n < Columns; n++)
    {
        int sequence = n * 8 + (lane >> 2);
        const bf16* from = a.inputs + (long long)sequence * a.depth + group * Together;
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            x[n][half] = sequence < a.batch ? *(const uint4*)(from + input_of(lane & 3, half)) : make_uint4(0, 0, 0, 0);
        }
    }
}

// sums += a group's products of one tile.
template <int Columns>
__device__ __forceinline__ void multiply_group(float (&sums)[Columns][4], const Codes (&codes)[2], const uint4 (&x)[Columns][2], float scaleAbove, float scaleBelow)
{
    unsigned above[8], below[8];
    widen(above, codes[0]);
    widen(below, codes[1]);
#pragma unroll
    for (int n = 0; n < Columns; n++)
    {
        unsigned right[8];
        put_inputs(right, x[n][0]);
        put_inputs(right + 4, x[n][1]);
        float fresh[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            unsigned left[4] = {above[i * 2], below[i * 2], above[i * 2 + 1], below[i * 2 + 1]};
            multiply(HasScales ? fresh : sums[n], left, right[i * 2], right[i * 2 + 1]);
        }

        if (HasScales)
        {
            sums[n][0] += fresh[0] * scaleAbove;
            sums[n][1] += fresh[1] * scaleAbove;
            sums[n][2] += fresh[2] * scaleBelow;
            sums[n][3] += fresh[3] * scaleBelow;
        }
    }
}

// Products of a warp's tiles with all sequences over groups [first, last) of inputs.
template <class S>
__device__ __forceinline__ void multiply_slice(float (&sums)[S::Tiles][S::Columns][4], const ProjectArguments& a, const Row (&rows)[S::Tiles][2], int first, int last)
{
    int t = threadIdx.x & 3;
    for (int begin = first; begin < last; begin += S::Ahead)
    {
        Codes codes[S::Ahead][S::Tiles][2];
        uint4 x[S::Ahead][S::Columns][2];
#pragma unroll
        for (int i = 0; i < S::Ahead; i++)
        {
            // Beyond the end the last group comes again, and is not used.
            int group = min(begin + i, last - 1);
#pragma unroll
            for (int m = 0; m < S::Tiles; m++)
            {
                codes[i][m][0] = load_codes(rows[m][0].codes, group, t);
                codes[i][m][1] = load_codes(rows[m][1].codes, group, t);
            }

            load_inputs<S::Columns>(x[i], a, group);
        }

#pragma unroll
        for (int i = 0; i < S::Ahead; i++)
        {
            int group = begin + i;
            if (group < last)
            {
#pragma unroll
                for (int m = 0; m < S::Tiles; m++)
                {
                    multiply_group<S::Columns>(
                        sums[m], codes[i][m], x[i], HasScales ? widen(rows[m][0].scales[group]) : 1.0f, HasScales ? widen(rows[m][1].scales[group]) : 1.0f);
                }
            }
        }
    }
}

// What a block's warps found. Rows lie side by side.
template <class S>
struct Found
{
    float *sums, *inverses;

    __device__ __forceinline__ Found(unsigned char* shared) : sums((float*)shared), inverses(sums + Slices * S::Sequences * S::Rows) { }

    __device__ __forceinline__ void put(const float (&found)[S::Tiles][S::Columns][4], int slice, int firstRow)
    {
        int lane = threadIdx.x & 31, r = lane >> 2, c = (lane & 3) * 2;
        float* to = sums + slice * S::Sequences * S::Rows + firstRow;
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
        float sum = 0.0f;
#pragma unroll
        for (int slice = 0; slice < Slices; slice++)
        {
            sum += sums[(slice * S::Sequences + sequence) * S::Rows + row];
        }

        return sum * inverses[sequence];
    }
};

template <class S>
__device__ __forceinline__ Found<S> find(const ProjectArguments& a, const int (&tiles)[S::BlockTiles])
{
    Found<S> found(shared);
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, below = warp % S::RowWarps * S::Tiles;
    int groups = a.depth / Together, each = (groups + Slices - 1) / Slices;
    Row rows[S::Tiles][2];
#pragma unroll
    for (int m = 0; m < S::Tiles; m++)
    {
        int tile = S::RowWarps == 1 ? tiles[m] : below == 0 ? tiles[m] : tiles[S::BlockTiles - S::Tiles + m];
        rows[m][0] = row_of(a.stack, tile * 16 + (lane >> 2), a.depth);
        rows[m][1] = row_of(a.stack, tile * 16 + 8 + (lane >> 2), a.depth);
    }

    for (int slice = warp / S::RowWarps; slice < Slices; slice += S::SliceWarps)
    {
        float sums[S::Tiles][S::Columns][4] = {};
        multiply_slice<S>(sums, a, rows, slice * each, min((slice + 1) * each, groups));
        found.put(sums, slice, below * 16);
    }

    find_inverses(found.inverses, a.squares, a.batch);
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
        tiles[m] = min((int)blockIdx.x * Count + m, rows / 16 - 1);
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
        stream.normed[at] = round_bf16(x * stream.norm[row]);
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
            a.gated[(long long)b * rows + row] = round_bf16(gate / (1.0f + expf(-gate)) * up);
        }
    });
}

// Few rows a block where a sequence's inputs are little beside the weights, more where they would be read too often.
template <int columns> struct Shapes { typedef Shape<2, 2, columns, 1> Plain, Gated; };
template <> struct Shapes<1> { typedef Shape<1, 1, 1, 4> Plain; typedef Shape<2, 1, 1, 2> Gated; };
template <> struct Shapes<2> { typedef Shape<1, 1, 2, 4> Plain; typedef Shape<2, 1, 2, 2> Gated; };
template <> struct Shapes<4> { typedef Shape<2, 1, 4, 1> Plain, Gated; };

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
