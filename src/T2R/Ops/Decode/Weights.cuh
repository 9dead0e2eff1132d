// Weights as a warp's left factors: tiles of 16 rows, whose inputs are taken in groups of 64. Of a group a lane of quarter t = lane % 4 holds 16 inputs of row lane / 4 and the
// same 16 of the row eight below. Which 16 is the format's choice, as long as both factors choose alike: the order within a product is nobody's business.
//
//   WEIGHTS 16: b16, row-major, as they are
//            8: whole numbers -127 ... 127. A tile's group is 16 bytes for each lane, its 16 of row lane / 4, then likewise for the row eight below; inputs 16 t + i, of each four
//               in the order 0, 2, 1, 3. Groups follow each other, then tiles
//            4: whole numbers -8 ... 7, plus 8. A tile's group is 16 bytes for each lane, eight of its one row, then eight of the other; inputs 16 t + i, of each eight in the
//               order 0, 2, 4, 6, 1, 3, 5, 7, the first in the lowest bits. Groups follow each other, then tiles
//
// Whole numbers have bf16 scales, one for each row and group, [groups, rows]: b16 holds the numbers exactly, and a group's products are scaled in fp32. LaneOrder.cs packs.

constexpr int Together = 64; // inputs of a group

// Several weights of one depth whose rows stand one below the other.
struct Stack
{
    const unsigned char* codes[4];
    const bf16* scales[4]; // null where codes are b16
    int ends[4];           // row after a weight's last, in the stack
};

__device__ __forceinline__ void put(unsigned* to, uint4 x)
{
    to[0] = x.x;
    to[1] = x.y;
    to[2] = x.z;
    to[3] = x.w;
}

// A lane's view of a tile. Copies: how many copies of 16 bytes bring its codes of a group, `from` says from where. widen: these codes, copies 32 lanes apart, as pairs of
// b16, two pairs of each row for each of four products. input_unit: which two units of eight inputs they belong to; Turned: see Ring.
#if WEIGHTS == 16
constexpr bool HasScales = false;
constexpr int Copies = 4, Turned = 4;

__device__ __forceinline__ int input_unit(int t, int half) { return half * 4 + t; }

struct Tile16
{
    const unsigned char* rows[2];

    // Rows beyond the end of a last tile: the last row stands in for them.
    __device__ __forceinline__ void set(const Stack& stack, int tile, int depth, int last)
    {
        int lane = threadIdx.x & 31;
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int row = min(tile * 16 + half * 8 + (lane >> 2), last), i = 0, begin = 0;
            while (row >= stack.ends[i])
            {
                begin = stack.ends[i++];
            }

            rows[half] = stack.codes[i] + (long long)(row - begin) * depth * 2 + (lane & 3) * 16;
        }
    }

    __device__ __forceinline__ const void* from(int group, int copy) const { return rows[copy >> 1] + group * 128 + (copy & 1) * 64; }
    __device__ __forceinline__ const void* scales_from(int) const { return nullptr; }
};

__device__ __forceinline__ void widen(unsigned (&above)[8], unsigned (&below)[8], const uint4* codes)
{
    put(above, codes[0]);
    put(above + 4, codes[32]);
    put(below, codes[64]);
    put(below + 4, codes[96]);
}

#else
constexpr bool HasScales = true;
constexpr int Copies = WEIGHTS / 4, Turned = 1;

__device__ __forceinline__ int input_unit(int t, int half) { return t * 2 + half; }

struct Tile16
{
    const unsigned char* codes;
    const bf16* scales;
    int rows;

    __device__ __forceinline__ void set(const Stack& stack, int tile, int depth, int)
    {
        int lane = threadIdx.x & 31, i = 0, begin = 0;
        while (tile * 16 >= stack.ends[i])
        {
            begin = stack.ends[i++];
        }

        int own = tile - begin / 16;
        codes = stack.codes[i] + ((long long)own * (depth / Together) * Copies * 32 + lane) * 16;
        scales = stack.scales[i] + own * 16 + (lane & 7) * 2;
        rows = stack.ends[i] - begin;
    }

    __device__ __forceinline__ const void* from(int group, int copy) const { return codes + (group * Copies + copy) * 512; }
    __device__ __forceinline__ const void* scales_from(int group) const { return scales + (long long)group * rows; }
};

// A number whose last bit is worth 1, in both halves: what is put there adds to it.
constexpr unsigned Whole = HALF ? 0x64006400u : 0x43004300u; // 1024, 128

#if WEIGHTS == 8
// A byte's lower seven bits count from there on; its sign bit counts 128, which is what a negative number must lose.
__device__ __forceinline__ unsigned two_codes(unsigned bytes) { return subtract_pairs((bytes & 0x007F007Fu) | Whole, (bytes & 0x00800080u) | Whole); }

__device__ __forceinline__ void widen_row(unsigned (&w)[8], uint4 codes)
{
    unsigned words[4];
    put(words, codes);
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        w[i * 2] = two_codes(words[i]);
        w[i * 2 + 1] = two_codes(words[i] >> 8);
    }
}

__device__ __forceinline__ void widen(unsigned (&above)[8], unsigned (&below)[8], const uint4* codes)
{
    widen_row(above, codes[0]);
    widen_row(below, codes[32]);
}

#else
__device__ __forceinline__ void widen_eight(unsigned* w, unsigned codes)
{
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        w[i] = subtract_pairs(((codes >> (4 * i)) & 0x000F000Fu) | Whole, Whole | 0x00080008u);
    }
}

__device__ __forceinline__ void widen(unsigned (&above)[8], unsigned (&below)[8], const uint4* codes)
{
    widen_eight(above, codes->x);
    widen_eight(above + 4, codes->y);
    widen_eight(below, codes->z);
    widen_eight(below + 4, codes->w);
}
#endif
#endif
