// From chunk to chunk: the second kernel of the forward, the third of the backward.

// Where number e of an item's state lies in [KEYS, SLOTS] or [SLOTS, VALUES].
struct Spot
{
    bool isKey;
    int slot, index;

    __device__ __forceinline__ Spot(int e)
    {
        isKey = e < SLOTS * KEYS;
        int rest = isKey ? e : e - SLOTS * KEYS, depth = isKey ? KEYS : VALUES;
        slot = rest / depth;
        int position = rest % depth, within = position % 32;
        int number = position - within + (within % 8 / 2) * 8 + within / 8 * 2 + within % 2;
        index = isKey ? number * SLOTS + slot : slot * VALUES + number;
    }
};

// The states before each chunk in place of what each adds, first to last; or, last to first, the gradients of the states after each in place of what each asks.
__device__ __forceinline__ void scan(
    b16* states, const float* decays, const float* keys, const float* values, float* endKeys, float* endValues, int chunks, bool isBackward)
{
    constexpr int Ahead = 16;
    int pair = blockIdx.x * Threads + threadIdx.x, item = pair / (State / 2), e = pair % (State / 2) * 2;
    Spot low(e), high(e + 1);
    long long keysAt = (long long)item * KEYS * SLOTS, valuesAt = (long long)item * SLOTS * VALUES;
    const float* first = low.isKey ? keys + keysAt : values + valuesAt;
    float x = keys == nullptr ? 0.0f : first[low.index], y = keys == nullptr ? 0.0f : first[high.index];

    int from = isBackward ? chunks - 1 : 0, step = isBackward ? -1 : 1;
    for (int i = 0; i < chunks; i += Ahead)
    {
        unsigned added[Ahead];
        float decay[Ahead];
#pragma unroll
        for (int j = 0; j < Ahead; j++)
        {
            if (i + j < chunks)
            {
                long long at = (long long)item * chunks + from + (i + j) * step;
                added[j] = *(const unsigned*)(states + at * State + e);
                decay[j] = decays[at * SLOTS + low.slot];
            }
        }

#pragma unroll
        for (int j = 0; j < Ahead; j++)
        {
            if (i + j < chunks)
            {
                long long at = (long long)item * chunks + from + (i + j) * step;
                *(unsigned*)(states + at * State + e) = pack(x, y);
                x = x * decay[j] + widen_low(added[j]);
                y = y * decay[j] + widen_high(added[j]);
            }
        }
    }

    float* end = low.isKey ? endKeys + keysAt : endValues + valuesAt;
    end[low.index] = x;
    end[high.index] = y;
}

extern "C" __global__ void __launch_bounds__(Threads) gsa_scan(const Arguments a)
{
    scan(a.states, a.decays, a.firstKeys, a.firstValues, a.lastKeys, a.lastValues, (a.length + Tokens - 1) / Tokens, false);
}

extern "C" __global__ void __launch_bounds__(Threads) gsa_scan_backward(const Arguments a)
{
    scan(a.dStates, a.decays, a.dLastKeys, a.dLastValues, a.dFirstKeys, a.dFirstValues, (a.length + Tokens - 1) / Tokens, true);
}
