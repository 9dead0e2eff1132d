// Square root and quotient rounded to nearest, by the steps that __fsqrt_rn and __fdiv_rn take where no step leaves the normal numbers (Markstein, IA-64 and Elementary
// Functions, 2000). The intrinsics look for that at each number; AdamW.cu looks once for eight.

__device__ __forceinline__ float rounded_root(float x)
{
    float inverse;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(x));
    float root = __fmul_rn(x, inverse);
    return __fmaf_rn(__fmaf_rn(-root, root, x), __fmul_rn(inverse, 0.5f), root);
}

__device__ __forceinline__ float rounded_quotient(float a, float b)
{
    float inverse;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(b));
    inverse = __fmaf_rn(inverse, __fmaf_rn(-b, inverse, 1.0f), inverse);
    float quotient = __fmul_rn(a, inverse);
    return __fmaf_rn(inverse, __fmaf_rn(-b, quotient, a), quotient);
}
