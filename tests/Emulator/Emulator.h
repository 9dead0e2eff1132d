// Runs a CUDA kernel's source on a CPU, one block after the other: a thread is a fibre, barriers and warp operations wait for each other. Slow and exact; for reading
// a kernel's arithmetic and its reach without a card. It does not show races: use compute-sanitizer on a card for those.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)

struct uint4 { unsigned x, y, z, w; };
struct uint2 { unsigned x, y; };
struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
struct Index { int x, y, z; };
inline Index threadIdx, blockIdx, blockDim, gridDim;
inline float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
inline unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned atomicMax(unsigned* at, unsigned x) { unsigned old = *at; *at = old < x ? x : old; return old; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
template <class T> inline T __ldcs(const T* from) { return *from; }
template <class T> inline void __stcs(T* to, T x) { *to = x; }

inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector)
{
    uint64_t bytes = (uint64_t)b << 32 | a;
    unsigned x = 0;
    for (int i = 0; i < 4; i++)
    {
        x |= (unsigned)(bytes >> ((selector >> (4 * i) & 7) * 8) & 0xFF) << (8 * i);
    }

    return x;
}

constexpr int SharedBytes = 232448;
extern unsigned char shared[SharedBytes];

extern "C" void switch_fibre(void** save, void* to);
asm(R"(
.text
.globl switch_fibre
switch_fibre:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

namespace emulator
{
struct Warp
{
    unsigned char in[32][64];
    unsigned char out[32][64];
    int arrived = 0, generation = 0;
};

struct Fibre
{
    void* stack;
    void* pointer;
    bool isDone;
};

inline std::vector<Fibre> fibres;
inline std::vector<Warp> warps;
inline void* scheduler;
inline int running, alive, atBarrier, barrier, sharedSize;
inline std::function<void()> body;

inline void yield()
{
    int me = running;
    switch_fibre(&fibres[me].pointer, scheduler);
    threadIdx.x = me;
}

inline void check_shared(const void* p, int bytes)
{
    long at = (const unsigned char*)p - shared;
    if (at < 0 || at + bytes > sharedSize || at % 16 != 0)
    {
        fprintf(stderr, "block %d thread %d: shared memory at %ld of %d\n", blockIdx.x, threadIdx.x, at, sharedSize);
        abort();
    }
}

template <class F>
void collective(const void* in, size_t inSize, void* out, size_t outSize, F compute)
{
    int lane = threadIdx.x % 32;
    Warp& warp = warps[threadIdx.x / 32];
    memcpy(warp.in[lane], in, inSize);
    if (++warp.arrived == 32)
    {
        compute(warp);
        warp.arrived = 0;
        warp.generation++;
    }
    else
    {
        for (int generation = warp.generation; generation == warp.generation;)
        {
            yield();
        }
    }

    memcpy(out, warp.out[lane], outSize);
}

inline void entry()
{
    body();
    fibres[running].isDone = true;
    alive--;
    yield();
    abort();
}

// Runs all blocks; shared memory is full of NaN at each one's start.
inline void launch(int blocks, int threads, int bytes, std::function<void()> kernel)
{
    constexpr size_t StackBytes = 256 * 1024;
    while ((int)fibres.size() < threads)
    {
        fibres.push_back({aligned_alloc(64, StackBytes), nullptr, true});
    }

    body = kernel;
    sharedSize = bytes;
    blockDim.x = threads;
    gridDim.x = blocks;
    for (int block = 0; block < blocks; block++)
    {
        blockIdx.x = block;
        memset(shared, 0xFF, SharedBytes);
        warps.assign((threads + 31) / 32, Warp());
        alive = threads;
        atBarrier = 0;
        for (int i = 0; i < threads; i++)
        {
            void** top = (void**)((char*)fibres[i].stack + StackBytes) - 3; // a called function finds its stack 8 bytes off 16
            *--top = (void*)entry;
            for (int j = 0; j < 6; j++)
            {
                *--top = nullptr;
            }

            fibres[i].pointer = top;
            fibres[i].isDone = false;
        }

        while (alive > 0)
        {
            for (running = 0; running < threads; running++)
            {
                if (!fibres[running].isDone)
                {
                    threadIdx.x = running;
                    switch_fibre(&scheduler, fibres[running].pointer);
                }
            }
        }
    }
}
}

inline void __syncthreads()
{
    using namespace emulator;
    if (++atBarrier == blockDim.x)
    {
        atBarrier = 0;
        barrier++;
    }
    else
    {
        for (int generation = barrier; generation == barrier;)
        {
            yield();
        }
    }
}

inline void __syncwarp(unsigned = 0xFFFFFFFFu)
{
    char nothing = 0;
    emulator::collective(&nothing, 1, &nothing, 1, [](emulator::Warp&) { });
}

inline float __shfl_xor_sync(unsigned, float x, int mask)
{
    struct In { float x; int mask; } in{x, mask};
    float y;
    emulator::collective(&in, sizeof in, &y, sizeof y, [](emulator::Warp& w)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            int from = lane ^ ((In*)w.in[lane])->mask;
            *(float*)w.out[lane] = ((In*)w.in[from])->x;
        }
    });
    return y;
}

inline unsigned __ballot_sync(unsigned, bool x)
{
    unsigned y;
    emulator::collective(&x, sizeof x, &y, sizeof y, [](emulator::Warp& w)
    {
        unsigned all = 0;
        for (int lane = 0; lane < 32; lane++)
        {
            all |= (unsigned)*(bool*)w.in[lane] << lane;
        }

        for (int lane = 0; lane < 32; lane++)
        {
            *(unsigned*)w.out[lane] = all;
        }
    });
    return y;
}
