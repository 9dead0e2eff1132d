// What stands between the products of SwiGLU (SwiGlu.cs), in one pass over memory: a thread does eight neighbours.
//
//   h = silu(a) o b        da = dh o b o silu'(a)        db = dh o silu(a)
//
// Each element is read before it is written, so that results may lie where inputs lay.

#include "Ops/Silu.cuh"

// CudaSwiGlu.cs
struct Arguments
{
    const uint4* gate;     // a
    const uint4* up;       // b
    const uint4* dProduct; // dh
    uint4* product;        // h; in the backward null if nobody wants it again
    uint4* dGate;
    uint4* dUp;
    long long units;       // of eight numbers
};

constexpr int Threads = 256;

extern "C" __global__ void __launch_bounds__(Threads) swiglu(const Arguments arguments)
{
    long long i = (long long)blockIdx.x * Threads + threadIdx.x;
    if (i < arguments.units)
    {
        float a[8], b[8];
        widen(a, arguments.gate[i]);
        widen(b, arguments.up[i]);
#pragma unroll
        for (int e = 0; e < 8; e++)
        {
            a[e] = silu(a[e]) * b[e];
        }

        arguments.product[i] = pack(a);
    }
}

extern "C" __global__ void __launch_bounds__(Threads) swiglu_backward(const Arguments arguments)
{
    long long i = (long long)blockIdx.x * Threads + threadIdx.x;
    if (i < arguments.units)
    {
        float a[8], b[8], d[8], h[8];
        widen(a, arguments.gate[i]);
        widen(b, arguments.up[i]);
        widen(d, arguments.dProduct[i]);
#pragma unroll
        for (int e = 0; e < 8; e++)
        {
            float sigma = sigmoid(a[e]), u = a[e] * sigma;
            h[e] = u * b[e];
            a[e] = d[e] * b[e] * silu_slope(a[e], sigma);
            b[e] = d[e] * u;
        }

        arguments.dGate[i] = pack(a);
        arguments.dUp[i] = pack(b);
        if (arguments.product != nullptr)
        {
            arguments.product[i] = pack(h);
        }
    }
}
