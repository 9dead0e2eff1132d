// Stands where src/T2R/Ops/Warp.cuh stands: the same functions, computed by what Emulator.h makes of a warp.
#pragma once

#ifndef HALF
#define HALF 0
#endif

typedef unsigned short bf16;
typedef unsigned short b16;

inline float widen_bf16_low(unsigned pair) { return __uint_as_float(pair << 16); }
inline float widen_bf16_high(unsigned pair) { return __uint_as_float(pair & 0xFFFF0000u); }
inline float widen_bf16(bf16 x) { return __uint_as_float((unsigned)x << 16); }

inline bf16 round_bf16(float x)
{
    unsigned bits = __float_as_uint(x);
    return (bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FFF : (bf16)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

inline unsigned pack_bf16(float low, float high) { return round_bf16(low) | (unsigned)round_bf16(high) << 16; }

#if HALF
inline float widen(b16 x)
{
    int exponent = x >> 10 & 31, fraction = x & 1023;
    float size = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent == 0 ? ldexpf((float)fraction, -24) : ldexpf((float)(fraction + 1024), exponent - 25);
    return x >> 15 ? -size : size;
}

inline b16 round_b16(float x)
{
    b16 sign = std::signbit(x) ? 0x8000 : 0;
    float size = fabsf(x);
    if (!(size < 65520.0f))
    {
        return sign | (size != size ? 0x7FFF : 0x7C00);
    }

    int exponent;
    frexpf(size, &exponent);
    int last = size < 6.103515625e-5f ? -24 : exponent - 11; // what the last bit is worth
    int steps = (int)nearbyintf(ldexpf(size, -last));
    return sign | (b16)(last == -24 ? steps : ((last + 24) << 10) + steps);
}
#else
inline float widen(b16 x) { return widen_bf16(x); }
inline b16 round_b16(float x) { return round_bf16(x); }
#endif

inline float widen_low(unsigned pair) { return widen((b16)pair); }
inline float widen_high(unsigned pair) { return widen((b16)(pair >> 16)); }
inline unsigned pack(float low, float high) { return round_b16(low) | (unsigned)round_b16(high) << 16; }
inline unsigned subtract_pairs(unsigned a, unsigned b) { return pack(widen_low(a) - widen_low(b), widen_high(a) - widen_high(b)); }
inline float fast_exp2(float x) { return exp2f(x); }
inline float fast_exp(float x) { return expf(x); }
inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

inline void load_matrices(unsigned (&r)[4], const b16* row)
{
    emulator::collective(&row, sizeof row, r, sizeof r, [](emulator::Warp& w)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            unsigned* out = (unsigned*)w.out[lane];
            for (int m = 0; m < 4; m++)
            {
                const b16* from = *(const b16**)w.in[m * 8 + lane / 4];
                emulator::check_shared(from, 16);
                out[m] = ((const unsigned*)from)[lane % 4];
            }
        }
    });
}

inline void load_matrices_transposed(unsigned (&r)[4], const b16* row)
{
    emulator::collective(&row, sizeof row, r, sizeof r, [](emulator::Warp& w)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            unsigned* out = (unsigned*)w.out[lane];
            for (int m = 0; m < 4; m++)
            {
                const b16 *low = *(const b16**)w.in[m * 8 + lane % 4 * 2], *high = *(const b16**)w.in[m * 8 + lane % 4 * 2 + 1];
                emulator::check_shared(low, 16);
                out[m] = low[lane / 4] | (unsigned)high[lane / 4] << 16;
            }
        }
    });
}

template <float Low(unsigned), float High(unsigned)>
inline void multiply_as(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1)
{
    struct In { float c[4]; unsigned a[4], b[2]; } in;
    for (int i = 0; i < 4; i++)
    {
        in.c[i] = c[i];
        in.a[i] = a[i];
    }

    in.b[0] = b0;
    in.b[1] = b1;
    emulator::collective(&in, sizeof in, c, sizeof c, [](emulator::Warp& w)
    {
        float A[16][16], B[16][8];
        for (int lane = 0; lane < 32; lane++)
        {
            const In& x = *(const In*)w.in[lane];
            int r = lane / 4, q = lane % 4 * 2;
            for (int i = 0; i < 4; i++)
            {
                A[r + i % 2 * 8][q + i / 2 * 8] = Low(x.a[i]);
                A[r + i % 2 * 8][q + i / 2 * 8 + 1] = High(x.a[i]);
            }

            for (int i = 0; i < 2; i++)
            {
                B[q + i * 8][r] = Low(x.b[i]);
                B[q + i * 8 + 1][r] = High(x.b[i]);
            }
        }

        float C[16][8] = {};
        for (int i = 0; i < 16; i++)
        {
            for (int k = 0; k < 16; k++)
            {
                for (int n = 0; n < 8; n++)
                {
                    C[i][n] += A[i][k] * B[k][n];
                }
            }
        }

        for (int lane = 0; lane < 32; lane++)
        {
            float* out = (float*)w.out[lane];
            for (int i = 0; i < 4; i++)
            {
                out[i] = ((const In*)w.in[lane])->c[i] + C[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
            }
        }
    });
}

inline void multiply(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) { multiply_as<widen_low, widen_high>(c, a, b0, b1); }
inline void multiply_bf16(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) { multiply_as<widen_bf16_low, widen_bf16_high>(c, a, b0, b1); }
