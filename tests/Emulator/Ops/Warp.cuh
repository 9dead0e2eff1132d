// Stands where src/T2R/Ops/Warp.cuh stands: the same functions, computed by what Emulator.h makes of a warp.
#pragma once

typedef unsigned short bf16;

inline float widen_low(unsigned pair) { return __uint_as_float(pair << 16); }
inline float widen_high(unsigned pair) { return __uint_as_float(pair & 0xFFFF0000u); }
inline float widen(bf16 x) { return __uint_as_float((unsigned)x << 16); }

inline bf16 round_bf16(float x)
{
    unsigned bits = __float_as_uint(x);
    return (bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FFF : (bf16)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

inline unsigned pack(float low, float high) { return round_bf16(low) | (unsigned)round_bf16(high) << 16; }
inline unsigned subtract_pairs(unsigned a, unsigned b) { return pack(widen_low(a) - widen_low(b), widen_high(a) - widen_high(b)); }
inline float fast_exp2(float x) { return exp2f(x); }
inline float fast_exp(float x) { return expf(x); }
inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

inline void load_matrices(unsigned (&r)[4], const bf16* row)
{
    emulator::collective(&row, sizeof row, r, sizeof r, [](emulator::Warp& w)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            unsigned* out = (unsigned*)w.out[lane];
            for (int m = 0; m < 4; m++)
            {
                const bf16* from = *(const bf16**)w.in[m * 8 + lane / 4];
                emulator::check_shared(from, 16);
                out[m] = ((const unsigned*)from)[lane % 4];
            }
        }
    });
}

inline void load_matrices_transposed(unsigned (&r)[4], const bf16* row)
{
    emulator::collective(&row, sizeof row, r, sizeof r, [](emulator::Warp& w)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            unsigned* out = (unsigned*)w.out[lane];
            for (int m = 0; m < 4; m++)
            {
                const bf16 *low = *(const bf16**)w.in[m * 8 + lane % 4 * 2], *high = *(const bf16**)w.in[m * 8 + lane % 4 * 2 + 1];
                emulator::check_shared(low, 16);
                out[m] = low[lane / 4] | (unsigned)high[lane / 4] << 16;
            }
        }
    });
}

inline void multiply(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1)
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
                A[r + i % 2 * 8][q + i / 2 * 8] = widen_low(x.a[i]);
                A[r + i % 2 * 8][q + i / 2 * 8 + 1] = widen_high(x.a[i]);
            }

            for (int i = 0; i < 2; i++)
            {
                B[q + i * 8][r] = widen_low(x.b[i]);
                B[q + i * 8 + 1][r] = widen_high(x.b[i]);
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
