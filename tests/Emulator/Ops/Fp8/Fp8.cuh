// Stands where src/T2R/Ops/Fp8/Fp8.cuh stands: the same roundings, by the formats' definition. With b the exponent's bias and p the mantissa's bits a number's neighbours
// are 2^(max(e, 1 - b) - p) apart.
#pragma once

inline unsigned char round_fp8(float x, int p, int b, float largest, unsigned char nan)
{
    unsigned char sign = (__float_as_uint(x) >> 31) << 7;
    if (x != x)
    {
        return nan;
    }

    double y = fabs((double)x);
    if (y > largest)
    {
        y = largest;
    }

    int e = y == 0 ? 1 - b : max(ilogb(y), 1 - b);
    int steps = (int)nearbyint(ldexp(y, p - e)); // to even; of a normal number 2^p and more

    // A mantissa that overflows carries into the exponent.
    return sign | (unsigned char)(steps < 1 << p ? steps : steps + ((e + b - 1) << p));
}

inline unsigned char round_e4m3(float x) { return round_fp8(x, 3, 7, 448.0f, 0x7F); }
inline unsigned char round_e5m2(float x) { return round_fp8(x, 2, 15, 57344.0f, 0x7F); }
inline unsigned pack_e4m3(float a, float b, float c, float d) { return round_e4m3(a) | round_e4m3(b) << 8 | round_e4m3(c) << 16 | (unsigned)round_e4m3(d) << 24; }
inline unsigned pack_e5m2(float a, float b, float c, float d) { return round_e5m2(a) | round_e5m2(b) << 8 | round_e5m2(c) << 16 | (unsigned)round_e5m2(d) << 24; }
