// The next token of each sequence, from logits (Sampler.cs, whose draws these are): top-k, top-p and min-p leave the tokens from the likeliest to a last one, and of these the one
// with the smallest E / w is drawn (GumbelMax.cs). A block a sequence.
//
// Tokens are ranked by a 64-bit number: the logit's bits so turned that they ascend with it, then the id's complement, for of equal logits, which 0 and -0 are, the lower id
// counts as the likelier. The last token is found bit by bit: the largest rank from which on there are enough tokens, or enough weight.

typedef unsigned long long Rank;

constexpr int Threads = 1024, MostSequences = 64;

struct Choice
{
    unsigned long long seed;
    long long draw;
    double temperature; // 0: the likeliest
    double topP;        // 1: all
    double minP;        // 0: all
    int topK;           // 0: all
    int row;            // of the logits
    int vocabulary;     // ids are below this
};

// CudaChoose.cs
struct Arguments
{
    const float* logits; // [rows, stride]
    int* ids;            // [sequences]; -1 where the logits are not finite numbers
    int stride;
    Choice choices[MostSequences];
};

extern __shared__ __align__(16) unsigned char shared[];

// Reduces a number of each thread in one order.
template <class T, class Combine>
__device__ __forceinline__ T reduce(T x, Combine combine)
{
    T* all = (T*)shared;
    __syncthreads();
    all[threadIdx.x] = x;
    for (int half = Threads / 2; half > 0; half >>= 1)
    {
        __syncthreads();
        if (threadIdx.x < half)
        {
            all[threadIdx.x] = combine(all[threadIdx.x], all[threadIdx.x + half]);
        }
    }

    __syncthreads();
    return all[0];
}

__device__ __forceinline__ double sum_of_block(double x)
{
    return reduce(x, [](double a, double b) { return a + b; });
}

__device__ __forceinline__ Rank rank_of(float logit, int id)
{
    // -0 + 0 is 0.
    unsigned bits = __float_as_uint(logit + 0.0f), ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (Rank)ascending << 32 | (unsigned)~id;
}

__device__ __forceinline__ float logit_of(Rank rank)
{
    unsigned ascending = (unsigned)(rank >> 32);
    return __uint_as_float(ascending & 0x80000000u ? ascending & 0x7FFFFFFFu : ~ascending);
}

// The largest rank such that tokens of that rank or more amount to the target at least.
template <class Amount>
__device__ __forceinline__ Rank last_rank(int vocabulary, const float* logits, double target, Amount amount)
{
    // Ids' upper bits are all zero.
    int idBits = 32 - __clz(vocabulary);
    Rank cut = 0;
    for (int bit = 63; bit >= 0; bit--)
    {
        if (bit < 32 && bit >= idBits)
        {
            cut |= 1ull << bit;
            continue;
        }

        Rank candidate = cut | 1ull << bit;
        double sum = 0.0;
        for (int i = threadIdx.x; i < vocabulary; i += Threads)
        {
            Rank rank = rank_of(logits[i], i);
            sum += rank >= candidate ? amount(logits[i], rank) : 0.0;
        }

        cut = sum_of_block(sum) >= target ? candidate : cut;
    }

    return cut;
}

// A word of Philox4x32-10 (Philox.cs).
__device__ __forceinline__ unsigned philox(unsigned long long key, unsigned long long low, unsigned long long high, int word)
{
    unsigned c0 = (unsigned)low, c1 = (unsigned)(low >> 32), c2 = (unsigned)high, c3 = (unsigned)(high >> 32), k0 = (unsigned)key, k1 = (unsigned)(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++)
    {
        unsigned long long p0 = c0 * 0xD2511F53ull, p1 = c2 * 0xCD9E8D57ull;
        c0 = (unsigned)(p1 >> 32) ^ c1 ^ k0;
        c1 = (unsigned)p1;
        c2 = (unsigned)(p0 >> 32) ^ c3 ^ k1;
        c3 = (unsigned)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }

    return word == 0 ? c0 : word == 1 ? c1 : word == 2 ? c2 : c3;
}

struct Arrival
{
    double time;
    int id;
};

__device__ __forceinline__ Arrival arrival_of(const Choice& c, float logit, float largest, int id)
{
    double v = (philox(c.seed, (unsigned long long)(id / 16) * 4 + id % 4, (unsigned long long)c.draw, id / 4 % 4) + 0.5) / 4294967296.0;
    return {-log(1.0 - v) / exp(((double)logit - largest) / c.temperature), id};
}

__device__ __forceinline__ Arrival first_of(Arrival x, Arrival y) { return y.time < x.time || (y.time == x.time && y.id < x.id) ? y : x; }

// The rank of the last token that the filters leave.
__device__ __forceinline__ Rank filter(const Choice& c, const float* logits, float largest)
{
    Rank cut = 0;
    if (c.topK > 0 && c.topK < c.vocabulary)
    {
        cut = last_rank(c.vocabulary, logits, c.topK, [](float, Rank) { return 1.0; });
    }

    if (c.topP < 1.0)
    {
        float inverse = (float)(1.0 / c.temperature);
        auto weight = [&](float logit, Rank rank) { return rank >= cut ? (double)expf((logit - largest) * inverse) : 0.0; };
        double sum = 0.0;
        for (int i = threadIdx.x; i < c.vocabulary; i += Threads)
        {
            sum += weight(logits[i], rank_of(logits[i], i));
        }

        Rank nucleus = last_rank(c.vocabulary, logits, sum_of_block(sum) * c.topP, weight);
        cut = nucleus > cut ? nucleus : cut;
    }

    if (c.minP > 0.0)
    {
        Rank least = rank_of((float)(largest + c.temperature * log(c.minP)), 0x7FFFFFFF);
        cut = least > cut ? least : cut;
    }

    return cut;
}

extern "C" __global__ void __launch_bounds__(Threads) choose(const __grid_constant__ Arguments a)
{
    const Choice& c = a.choices[blockIdx.x];
    const float* logits = a.logits + (long long)c.row * a.stride;
    Rank best = 0;
    int broken = 0;
    for (int i = threadIdx.x; i < c.vocabulary; i += Threads)
    {
        Rank rank = rank_of(logits[i], i);
        broken |= logits[i] != logits[i];
        best = rank > best ? rank : best;
    }

    best = reduce(best, [](Rank x, Rank y) { return x > y ? x : y; });
    broken = reduce(broken, [](int x, int y) { return x | y; });
    float largest = logit_of(best);
    int likeliest = (int)~(unsigned)best;
    if (broken || !(fabsf(largest) <= 3.402823466e38f))
    {
        likeliest = -1;
    }

    if (likeliest < 0 || c.temperature == 0.0)
    {
        if (threadIdx.x == 0)
        {
            a.ids[blockIdx.x] = likeliest;
        }

        return;
    }

    Rank cut = filter(c, logits, largest);
    Arrival first = arrival_of(c, largest, largest, likeliest);
    float inverse = (float)(1.0 / c.temperature);
    for (int i = threadIdx.x; i < c.vocabulary; i += Threads)
    {
        // E >= v >= 2^-33: most tokens weigh too little to come first.
        if (rank_of(logits[i], i) >= cut && expf((logits[i] - largest) * inverse) * (float)first.time * 1.001f > 1.1641532e-10f)
        {
            first = first_of(first, arrival_of(c, logits[i], largest, i));
        }
    }

    first = reduce(first, first_of);
    if (threadIdx.x == 0)
    {
        a.ids[blockIdx.x] = first.id;
    }
}

extern "C" __device__ const int choose_shared[1] = {Threads * (int)sizeof(Arrival)};
