// The stream's beginning: a token's row of the embedding. A block a sequence.

constexpr int EmbedThreads = 256;

extern "C" __global__ void __launch_bounds__(EmbedThreads) embed(const __grid_constant__ EmbedArguments a)
{
    let_next_start();
    int b = blockIdx.x;
    const b16* from = a.embedding + (long long)a.ids[b] * a.rows;
    for (int i = threadIdx.x; i < (a.rows + 31) / 32 * 32; i += EmbedThreads)
    {
        put_in_stream(a.stream, i < a.rows, a.rows, i, b, i < a.rows ? widen(from[i]) : 0.0f);
    }
}
