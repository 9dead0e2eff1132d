// The loss of rows of logits z and its gradient (CrossEntropy.cs), a block a row: once for the sums, and once more, out of the cache, for the gradient, which is written
// over z. With lse(x) = log sum exp x, label l, and of a teacher's logits t at the temperature T
//
//   cross = lse(z) - z_l        divergence = T^2 sum_v q_v (log q_v - log p_v), q = softmax(t / T), p = softmax(z / T)
//   dz = scale (softmax(z) - onehot(l)) + teacherScale T (p - q)
//
// Loops are not unrolled: with few registers a multiprocessor holds so many threads that loads of one each are enough on their way.
//
// Exponentials are of base 2: x stands here as x log2(e), and logarithms are of base 2 too, up to the results.

#include "Ops/Silu.cuh"

constexpr int Threads = 512, Warps = Threads / 32;
constexpr float Log2E = 1.4426950408889634f, Ln2 = 0.6931471805599453f;
constexpr float Lowest = -1e38f; // below every logit, and finite: what is -inf has exponential 0

// CudaCrossEntropy.cs
struct Arguments
{
    bf16* logits;            // z [rows, vocabulary], then dz
    const bf16* teacher;     // t [rows, vocabulary]
    const long long* labels; // [rows]; a row with one below 0 has no loss
    float* cross;            // [rows]
    float* divergence;       // [rows]
    long long vocabulary;
    float scale, teacherScale, temperature;
};

extern __shared__ __align__(16) unsigned char shared[];

// What a thread takes at once: 16 bytes where rows begin at multiples of that, else one number.
struct Unit
{
    static constexpr int Numbers = 8;
    static __device__ __forceinline__ void read(float (&x)[8], const bf16* from) { widen(x, *(const uint4*)from); }
    static __device__ __forceinline__ void write(bf16* to, const float (&x)[8]) { *(uint4*)to = pack(x); }
};

struct Single
{
    static constexpr int Numbers = 1;
    static __device__ __forceinline__ void read(float (&x)[1], const bf16* from) { x[0] = widen(*from); }
    static __device__ __forceinline__ void write(bf16* to, const float (&x)[1]) { *to = round_bf16(x[0]); }
};

// A sum of exponentials that does not overflow: sum 2^(x - largest).
struct Exponentials
{
    float largest = Lowest, sum = 0.0f;

    template <int N>
    __device__ __forceinline__ void add(const float (&x)[N], float factor)
    {
        float most = largest;
#pragma unroll
        for (int e = 0; e < N; e++)
        {
            most = fmaxf(most, x[e] * factor);
        }

        sum *= fast_exp2(largest - most);
        largest = most;
#pragma unroll
        for (int e = 0; e < N; e++)
        {
            sum += fast_exp2(x[e] * factor - most);
        }
    }

    __device__ __forceinline__ void merge(float otherLargest, float otherSum)
    {
        float most = fmaxf(largest, otherLargest);
        sum = sum * fast_exp2(largest - most) + otherSum * fast_exp2(otherLargest - most);
        largest = most;
    }

    // The logarithm of all threads' sums, for each of them.
    __device__ __forceinline__ float logarithm()
    {
#pragma unroll
        for (int mask = 16; mask > 0; mask /= 2)
        {
            merge(__shfl_xor_sync(0xFFFFFFFFu, largest, mask), __shfl_xor_sync(0xFFFFFFFFu, sum, mask));
        }

        float2* warps = (float2*)shared;
        __syncthreads();
        if (threadIdx.x % 32 == 0)
        {
            warps[threadIdx.x / 32] = make_float2(largest, sum);
        }

        __syncthreads();
        largest = warps[0].x;
        sum = warps[0].y;
#pragma unroll 1
        for (int i = 1; i < Warps; i++)
        {
            merge(warps[i].x, warps[i].y);
        }

        return largest + log2f(sum);
    }
};

// The sum of a number a thread; thread 0 has it.
__device__ __forceinline__ float sum_of_block(float x)
{
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2)
    {
        x += __shfl_xor_sync(0xFFFFFFFFu, x, mask);
    }

    float* warps = (float*)shared;
    __syncthreads();
    if (threadIdx.x % 32 == 0)
    {
        warps[threadIdx.x / 32] = x;
    }

    __syncthreads();
    x = 0.0f;
    for (int i = 0; i < Warps; i++)
    {
        x += warps[i];
    }

    return x;
}

template <class Part, bool Taught>
__device__ __forceinline__ void row(const Arguments& a)
{
    constexpr int N = Part::Numbers;
    bf16* z = a.logits + blockIdx.x * a.vocabulary;
    const bf16* t = Taught ? a.teacher + blockIdx.x * a.vocabulary : nullptr;
    long long label = a.labels[blockIdx.x];
    if (label < 0)
    {
        for (long long i = (long long)threadIdx.x * N; i < a.vocabulary; i += Threads * N)
        {
            float zero[N] = {};
            Part::write(z + i, zero);
        }

        if (threadIdx.x == 0)
        {
            a.cross[blockIdx.x] = 0.0f;
            if (Taught)
            {
                a.divergence[blockIdx.x] = 0.0f;
            }
        }

        return;
    }

    float warm = Taught ? Log2E / a.temperature : 0.0f;
    Exponentials own, ownWarm, taught;
#pragma unroll 1
    for (long long i = (long long)threadIdx.x * N; i < a.vocabulary; i += Threads * N)
    {
        float x[N];
        Part::read(x, z + i);
        own.add(x, Log2E);
        if (Taught)
        {
            ownWarm.add(x, warm);
            Part::read(x, t + i);
            taught.add(x, warm);
        }
    }

    float labelled = widen(z[label]);
    float log = own.logarithm(), logWarm = Taught ? ownWarm.logarithm() : 0.0f, logTaught = Taught ? taught.logarithm() : 0.0f;
    float towards = Taught ? a.teacherScale * a.temperature : 0.0f, divergence = 0.0f;
#pragma unroll 1
    for (long long i = (long long)threadIdx.x * N; i < a.vocabulary; i += Threads * N)
    {
        float x[N], y[N];
        Part::read(x, z + i);
        if (Taught)
        {
            Part::read(y, t + i);
        }

#pragma unroll
        for (int e = 0; e < N; e++)
        {
            float d = (fast_exp2(x[e] * Log2E - log) - (i + e == label ? 1.0f : 0.0f)) * a.scale;
            if (Taught)
            {
                float p = x[e] * warm - logWarm, q = y[e] * warm - logTaught, weight = fast_exp2(q);
                d += towards * (fast_exp2(p) - weight);
                divergence += weight == 0.0f ? 0.0f : weight * (q - p);
            }

            x[e] = d;
        }

        Part::write(z + i, x);
    }

    if (Taught)
    {
        divergence = sum_of_block(divergence);
    }

    if (threadIdx.x == 0)
    {
        a.cross[blockIdx.x] = log * Ln2 - labelled;
        if (Taught)
        {
            a.divergence[blockIdx.x] = divergence * Ln2 * a.temperature * a.temperature;
        }
    }
}

extern "C" __global__ void __launch_bounds__(Threads, 4) cross_entropy(const Arguments a) { row<Unit, false>(a); }
extern "C" __global__ void __launch_bounds__(Threads) cross_entropy_single(const Arguments a) { row<Single, false>(a); }
extern "C" __global__ void __launch_bounds__(Threads, 3) cross_entropy_taught(const Arguments a) { row<Unit, true>(a); }
extern "C" __global__ void __launch_bounds__(Threads) cross_entropy_taught_single(const Arguments a) { row<Single, true>(a); }
