// One token of gated slot attention (GatedSlotOperator.cs), with the maps before it and the output norm's first half behind: a block does one sequence's key-value head
// and reads and writes its state once, in fp32.

constexpr int StepThreads = 512;
static_assert(GROUPS <= StepThreads / 32, "a warp for each query head");

__device__ __forceinline__ float silu_of(float x) { return x / (1.0f + expf(-x)); }

__device__ __forceinline__ float largest_of_warp(float x)
{
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1)
    {
        x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, mask));
    }

    return x;
}

// A warp a query head: the parts' sums, then their softmax.
__device__ __forceinline__ void softmax_of_slots(float* weights, const float* parts)
{
    constexpr int Parts = StepThreads / SLOTS, Each = (SLOTS + 31) / 32;
    int lane = threadIdx.x & 31, head = threadIdx.x >> 5;
    if (head >= GROUPS)
    {
        return;
    }

    float logits[Each], largest = -3.4e38f, sum = 0.0f;
#pragma unroll
    for (int i = 0; i < Each; i++)
    {
        int s = i * 32 + lane;
        logits[i] = s < SLOTS ? 0.0f : -3.4e38f;
        for (int part = 0; s < SLOTS && part < Parts; part++)
        {
            logits[i] += parts[head * StepThreads + part * SLOTS + s];
        }

        largest = fmaxf(largest, logits[i]);
    }

    largest = largest_of_warp(largest);
#pragma unroll
    for (int i = 0; i < Each; i++)
    {
        logits[i] = expf(logits[i] - largest);
        sum += logits[i];
    }

    sum = sum_of_warp(sum);
#pragma unroll
    for (int i = 0; i < Each; i++)
    {
        if (i * 32 + lane < SLOTS)
        {
            weights[head * SLOTS + i * 32 + lane] = logits[i] / sum;
        }
    }
}

// A warp a query head: the parts' sums through silu, times the output norm's weight, and the sum of their squares.
__device__ __forceinline__ void put_outputs(const SlotStepArguments& a, const float* parts, int head, int b)
{
    constexpr int Parts = StepThreads / VALUES;
    int lane = threadIdx.x & 31, h = threadIdx.x >> 5;
    if (h >= GROUPS)
    {
        return;
    }

    int query = head * GROUPS + h, heads = a.heads * GROUPS;
    float squares = 0.0f;
    for (int v = lane; v < VALUES; v += 32)
    {
        float o = 0.0f;
#pragma unroll
        for (int part = 0; part < Parts; part++)
        {
            o += parts[h * StepThreads + part * VALUES + v];
        }

        o = silu_of(o);
        squares += o * o;
        a.normed[((long long)b * heads + query) * VALUES + v] = round_b16(o * a.norm[query * VALUES + v]);
    }

    squares = sum_of_warp(squares);
    if (lane == 0)
    {
        a.squares[b * heads + query] = squares;
    }
}

struct StepShared
{
    float queries[GROUPS * KEYS], key[KEYS], value[VALUES], decay[SLOTS], write[SLOTS];
    float parts[StepThreads * GROUPS], weights[GROUPS * SLOTS];
};

extern "C" __device__ const int slot_step_shared[1] = {sizeof(StepShared)};

// Numbers that stand one after the other in shared memory, and that all lanes read alike: four at once where they can be.
template <int N>
__device__ __forceinline__ void read(float (&x)[N], const float* from)
{
    if constexpr (N % 4 == 0)
    {
#pragma unroll
        for (int i = 0; i < N / 4; i++)
        {
            float4 four = ((const float4*)from)[i];
            x[i * 4] = four.x;
            x[i * 4 + 1] = four.y;
            x[i * 4 + 2] = four.z;
            x[i * 4 + 3] = four.w;
        }
    }
    else
    {
#pragma unroll
        for (int i = 0; i < N; i++)
        {
            x[i] = from[i];
        }
    }
}

// The sequence's q, k, v and f through their maps.
__device__ __forceinline__ void map_inputs(StepShared& to, const SlotStepArguments& a, int head, int b)
{
    int heads = a.heads, tid = threadIdx.x;
    const float *q = a.products + (long long)b * heads * ((GROUPS + 1) * KEYS + VALUES + SLOTS), *k = q + heads * GROUPS * KEYS, *v = k + heads * KEYS, *f = v + heads * VALUES;
    for (int i = tid; i < GROUPS * KEYS; i += StepThreads)
    {
        to.queries[i] = silu_of(q[head * GROUPS * KEYS + i]);
    }

    for (int i = tid; i < KEYS; i += StepThreads)
    {
        to.key[i] = silu_of(k[head * KEYS + i]);
    }

    for (int i = tid; i < VALUES; i += StepThreads)
    {
        to.value[i] = silu_of(v[head * VALUES + i]);
    }

    for (int i = tid; i < SLOTS; i += StepThreads)
    {
        // log sigma(f) / tau, and the write as -expm1: in 1 - e^g an open gate would write nothing.
        float logit = f[head * SLOTS + i], gate = -a.rate * (fmaxf(-logit, 0.0f) + log1pf(expf(-fabsf(logit))));
        to.decay[i] = expf(gate);
        to.write[i] = -expm1f(gate);
    }
}

extern "C" __global__ void __launch_bounds__(StepThreads) slot_step(const __grid_constant__ SlotStepArguments a)
{
    constexpr int KeyParts = StepThreads / SLOTS, ValueParts = StepThreads / VALUES;
    static_assert(StepThreads % SLOTS == 0 && StepThreads % VALUES == 0 && KEYS % KeyParts == 0 && SLOTS % ValueParts == 0, "other shapes are TensorDecoder.cs's");
    constexpr int EachKey = KEYS / KeyParts, EachSlot = SLOTS / ValueParts;
    StepShared& in = *(StepShared*)shared;
    int head = blockIdx.x % a.heads, b = blockIdx.x / a.heads, tid = threadIdx.x;
    long long item = (long long)a.slots[b] * a.heads + head;

    // The state is on its way while the maps are made: a column of keys' slots, some rows of it; a column of values, some slots of it. It is read before earlier kernels are
    // awaited: who wrote it last, an earlier step or a copy, is done, for a step begins with embed, which is launched without overlap, and in a step a layer's state is written once.
    int m = tid % SLOTS, firstKey = tid / SLOTS * EachKey, v = tid % VALUES, firstSlot = tid / VALUES * EachSlot;
    float *keys = a.keys + (item * KEYS + firstKey) * SLOTS + m, *values = a.values + (item * SLOTS + firstSlot) * VALUES + v;
    float hk[EachKey], hv[EachSlot];
#pragma unroll
    for (int i = 0; i < EachKey; i++)
    {
        hk[i] = keys[i * SLOTS];
    }

#pragma unroll
    for (int i = 0; i < EachSlot; i++)
    {
        hv[i] = values[i * VALUES];
    }

    let_next_start();
    await_earlier();
    map_inputs(in, a, head, b);
    __syncthreads();
    {
        float key[EachKey], query[EachKey], decay = in.decay[m], write = in.write[m];
        read(key, in.key + firstKey);
#pragma unroll
        for (int i = 0; i < EachKey; i++)
        {
            hk[i] = hk[i] * decay + key[i] * write;
            keys[i * SLOTS] = hk[i];
        }

#pragma unroll
        for (int h = 0; h < GROUPS; h++)
        {
            read(query, in.queries + h * KEYS + firstKey);
            float logit = 0.0f;
#pragma unroll
            for (int i = 0; i < EachKey; i++)
            {
                logit += query[i] * hk[i];
            }

            in.parts[h * StepThreads + tid] = logit;
        }
    }

    __syncthreads();
    softmax_of_slots(in.weights, in.parts);
    __syncthreads();
    {
        float decay[EachSlot], write[EachSlot], weight[EachSlot], value = in.value[v];
        read(decay, in.decay + firstSlot);
        read(write, in.write + firstSlot);
#pragma unroll
        for (int i = 0; i < EachSlot; i++)
        {
            hv[i] = hv[i] * decay[i] + write[i] * value;
            values[i * VALUES] = hv[i];
        }

#pragma unroll
        for (int h = 0; h < GROUPS; h++)
        {
            read(weight, in.weights + h * SLOTS + firstSlot);
            float output = 0.0f;
#pragma unroll
            for (int i = 0; i < EachSlot; i++)
            {
                output += weight[i] * hv[i];
            }

            in.parts[h * StepThreads + tid] = output;
        }
    }

    __syncthreads();
    put_outputs(a, in.parts, head, b);
}
