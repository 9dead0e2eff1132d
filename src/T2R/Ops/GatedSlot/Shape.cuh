// What follows from a shape, and where a block's shared memory begins.

constexpr int Tokens = 64, RowTile = 16, RowTiles = Tokens / RowTile, Threads = 256, Warps = Threads / 32;
constexpr int State = SLOTS * (KEYS + VALUES);
constexpr int Parts = Threads / SLOTS, PartTokens = Tokens / Parts; // a thread's gates: one slot, some neighbouring tokens
constexpr int WriteRows = RowTile * RowTiles * (RowTiles + 1) / 2;  // of S: 16 for the first tile, 32 for the second, ...
constexpr float MostForgotten = -9.0f;
constexpr int TwoBlocks = MOST_SHARED / 2 - 1024; // bytes of shared memory with which two blocks fit on a multiprocessor

extern __shared__ __align__(16) unsigned char shared[];

// Where a table [Tokens, SLOTS] of floats has an element: groups of eight are permuted within a row, so that eight rows' lie in different banks.
__device__ __forceinline__ int table_at(int token, int slot) { return token * SLOTS + (slot ^ ((token & (SLOTS / 8 - 1 & 7)) << 3)); }

static_assert(Threads % SLOTS == 0 && SLOTS % 16 == 0 && KEYS % 32 == 0 && VALUES % 32 == 0, "other shapes are Chunk.cs's");

__device__ constexpr int larger(int a, int b) { return a > b ? a : b; }
