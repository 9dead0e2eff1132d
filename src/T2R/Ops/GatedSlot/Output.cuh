// Last kernel of the forward.

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

        b16* to = a.output + ((place.row + rows.token) * a.heads * a.groups + head) * VALUES + (lane & 3) * 8;
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
