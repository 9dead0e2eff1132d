// What the kernels are given, and which part of it is a block's.

// CudaArguments.cs
struct Arguments
{
    const b16* q;                 // [B, T, H, KEYS]
    const b16* k;                 // [B, T, Hkv, KEYS]
    const b16* v;                 // [B, T, Hkv, VALUES]
    const void* gate;             // [B, T, Hkv, SLOTS]: with MAPS logits f, b16; otherwise g, fp32
    const float* write;           // s like g; unused with MAPS
    const unsigned char* starts;  // where a document starts [B, T]; null: nowhere
    const float* firstKeys;       // initial state [B, Hkv, KEYS, SLOTS]; null: zeros
    const float* firstValues;     // [B, Hkv, SLOTS, VALUES]; null with firstKeys
    b16* states;                  // [item, chunk, State]: what a chunk writes, then the state before it
    float* decays;                // [item, chunk, SLOTS]: what a chunk leaves of the state before it
    float* lastKeys;              // the state after the last token, laid out as the first
    float* lastValues;
    b16* output;                  // [B, T, H, VALUES]

    const b16* dOutput;           // [B, T, H, VALUES]
    const float* dLastKeys;       // null: zeros
    const float* dLastValues;     // null with dLastKeys
    b16* p;                       // p D [B, T, H, SLOTS], interleaved
    b16* z;                       // gradient of the logits times D, likewise
    float* rows;                  // [B, T, Hkv, SLOTS]: gradient of G_t from rows t
    b16* dStates;                 // like states: what a chunk's rows ask of the state before it, then the gradient of the state after it
    b16* dq;
    b16* dk;
    b16* dv;
    void* dGate;                  // df, b16, or dg, fp32
    float* dWrite;                // ds; unused with MAPS
    float* dFirstKeys;
    float* dFirstValues;

    long long qStride, kStride, vStride, gateStride;    // numbers from a token to the next, of inputs
    long long dqStride, dkStride, dvStride, dGateStride; // and gradients
    int batch, length, heads, groups;
    float rate;                   // 1 / tau
};

struct Place
{
    int head, chunk, item, chunks, count; // count: how many of the chunk's 64 tokens there are
    long long row;                        // of its first token among all sequences' tokens

    // Heads are innermost: neighbouring blocks read neighbouring memory.
    __device__ __forceinline__ Place(const Arguments& a, int block)
    {
        chunks = (a.length + Tokens - 1) / Tokens;
        head = block % a.heads;
        chunk = block / a.heads % chunks;
        int sequence = block / a.heads / chunks;
        item = sequence * a.heads + head;
        count = min(Tokens, a.length - chunk * Tokens);
        row = (long long)sequence * a.length + chunk * Tokens;
    }

    __device__ __forceinline__ long long state() const { return (long long)item * chunks + chunk; }
};
