// Which rows are a warp's, and which tokens they may read.

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

    // Clears products [rows, 16 columns from another tile's start] where the reader of the two tokens may not read the other: the row reads, or, with the factors changed, the
    // column does.
    template <bool IsRead>
    __device__ __forceinline__ void mask(float (&w)[2][4], int columnTile) const
    {
#pragma unroll
        for (int n = 0; n < 2; n++)
        {
#pragma unroll
            for (int e = 0; e < 2; e++)
            {
                int column = columnTile * RowTile + n * 8 + (threadIdx.x & 3) * 2 + e, of = documents[column];
                w[n][e] = (IsRead ? token <= column : column <= token) && of == document ? w[n][e] : 0.0f;
                w[n][2 + e] = (IsRead ? token + 8 <= column : column <= token + 8) && of == documentBelow ? w[n][2 + e] : 0.0f;
            }
        }
    }
};

// Tile 0 .. RowTiles - 1 of a query head. Every second pass turns the order round, so that each warp gets long and short tiles.
__device__ __forceinline__ bool next_tile(int pass, int groups, int& group, int& tile)
{
    int i = pass * Warps + threadIdx.x / 32;
    group = i / RowTiles;
    tile = pass & 1 ? RowTiles - 1 - i % RowTiles : i % RowTiles;
    return group < groups;
}
