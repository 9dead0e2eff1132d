// One token of gated slot attention (GatedSlotOperator.cs), with the maps before it and the output norm's first half behind: a block does one sequence's key-value head
// and reads and writes its state once, in fp32.

constexpr int StepThreads = 256, MostGroups = 8; // query heads of a key-value head: a warp each

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
__device__ __forceinline__ void softmax_of_slots(float* weights, const float* parts, int groups)
{
    constexpr int Parts = StepThreads / SLOTS, Each = (SLOTS + 31) / 32;
    int lane = threadIdx.x & 31, head = threadIdx.x >> 5;
    if (head >= groups)
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
    if (h >= a.groups)
    {
        return;
    }

    int query = head * a.groups + h, heads = a.heads * a.groups;
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
        a.normed[((long long)b * heads + query) * VALUES + v] = round_bf16(o * a.norm[query * VALUES + v]);
    }

    squares = sum_of_warp(squares);
    if (lane == 0)
    {
        a.squares[b * heads + query] = squares;
    }
}

struct StepShared
{
    float queries[MostGroups * KEYS], key[KEYS], value[VALUES], decay[SLOTS], write[SLOTS];
    float parts[StepThreads * MostGroups], weights[MostGroups * SLOTS];
};

extern "C" __device__ const int slot_step_shared[1] = {sizeof(StepShared)};

extern "C" __global__ void __launch_bounds__(StepThreads) slot_step(const __grid_constant__ SlotStepArguments a)
{
    constexpr int KeyParts = StepThreads / SLOTS, ValueParts = StepThreads / VALUES;
    static_assert(StepThreads % SLOTS == 0 && StepThreads % VALUES == 0 && KEYS % KeyParts == 0 && SLOTS % ValueParts == 0, "other shapes are TensorDecoder.cs's");
    constexpr int EachKey = KEYS / KeyParts, EachSlot = SLOTS / ValueParts;
    StepShared& in = *(StepShared*)shared;
    int head = blockIdx.x % a.heads, b = blockIdx.x / a.heads, tid = threadIdx.x;
    int row = (a.heads * a.groups + a.heads) * KEYS + a.heads * (VALUES + SLOTS);
    long long item = (long long)a.slots[b] * a.heads + head;
    float *keys = a.keys + item * KEYS * SLOTS, *values = a.values + item * SLOTS * VALUES;

    // The state is on its way while the maps are made.
    int m = tid % SLOTS, keyPart = tid / SLOTS, v = tid % VALUES, valuePart = tid / VALUES;
    float hk[EachKey], hv[EachSlot];
#pragma unroll
    for (int i = 0; i < EachKey; i++)
    {
        hk[i] = keys[(keyPart * EachKey + i) * SLOTS + m];
    }

#pragma unroll
    for (int i = 0; i < EachSlot; i++)
    {
        hv[i] = values[(valuePart * EachSlot + i) * VALUES + v];
    }

    const float* products = a.products + (long long)b * row;
    const float *q = products + head * a.groups * KEYS, *k = products + a.heads * a.groups * KEYS + head * KEYS;
    const float *w = products + (a.heads * a.groups + a.heads) * KEYS + head * VALUES, *f = products + (a.heads * a.groups + a.heads) * KEYS + a.heads * VALUES + head * SLOTS;
    for (int i = tid; i < a.groups * KEYS; i += StepThreads)
    {
        in.queries[i] = silu_of(q[i]);
    }

    for (int i = tid; i < KEYS; i += StepThreads)
    {
        in.key[i] = silu_of(k[i]);
    }

    for (int i = tid; i < VALUES; i += StepThreads)
    {
        in.value[i] = silu_of(w[i]);
    }

    for (int i = tid; i < SLOTS; i += StepThreads)
    {
        // log sigma(f) / tau, and the write as -expm1: in 1 - e^g an open gate would write nothing.
        float gate = -a.rate * (fmaxf(-f[i], 0.0f) + log1pf(expf(-fabsf(f[i]))));
        in.decay[i] = expf(gate);
        in.write[i] = -expm1f(gate);
    }

    __syncthreads();
    float logits[MostGroups] = {};
#pragma unroll
    for (int i = 0; i < EachKey; i++)
    {
        int c = keyPart * EachKey + i;
        hk[i] = hk[i] * in.decay[m] + in.key[c] * in.write[m];
        keys[c * SLOTS + m] = hk[i];
#pragma unroll
        for (int h = 0; h < MostGroups; h++)
        {
            logits[h] += h < a.groups ? in.queries[h * KEYS + c] * hk[i] : 0.0f;
        }
    }

#pragma unroll
    for (int h = 0; h < MostGroups; h++)
    {
        in.parts[h * StepThreads + tid] = logits[h];
    }

    __syncthreads();
    softmax_of_slots(in.weights, in.parts, a.groups);
    __syncthreads();
    float outputs[MostGroups] = {};
#pragma unroll
    for (int i = 0; i < EachSlot; i++)
    {
        int s = valuePart * EachSlot + i;
        hv[i] = hv[i] * in.decay[s] + in.write[s] * in.value[v];
        values[s * VALUES + v] = hv[i];
#pragma unroll
        for (int h = 0; h < MostGroups; h++)
        {
            outputs[h] += h < a.groups ? in.weights[h * SLOTS + s] * hv[i] : 0.0f;
        }
    }

#pragma unroll
    for (int h = 0; h < MostGroups; h++)
    {
        in.parts[h * StepThreads + tid] = outputs[h];
    }

    __syncthreads();
    put_outputs(a, in.parts, head, b);
}
