// What checks of kernels share: random inputs, outputs full of NaN, and the comparison with float64.
#pragma once
#include "Emulator.h"
#include "Ops/Warp.cuh"
#include <random>
unsigned char shared[SharedBytes];

using std::vector;
static std::mt19937 rng(1);
static double normal() { return std::normal_distribution<double>()(rng); }
static vector<b16> halves(size_t n, double scale = 1) { vector<b16> x(n); for (auto& y : x) y = round_b16((float)(normal() * scale)); return x; }
static vector<float> floats(size_t n, double scale = 1) { vector<float> x(n); for (auto& y : x) y = (float)(normal() * scale); return x; }
template <class T> static vector<T> nan_of(size_t n) { vector<T> x(n); memset(x.data(), 0xFF, n * sizeof(T)); return x; }
static double value(float x) { return x; }
static double value(b16 x) { return widen(x); }
static bool failed;

template <class T>
static void compare(const char* name, const vector<T>& a, const vector<double>& b, double bar)
{
    double d = 0, n = 0;
    for (size_t i = 0; i < b.size(); i++)
    {
        d += (value(a[i]) - b[i]) * (value(a[i]) - b[i]);
        n += b[i] * b[i];
    }

    double error = sqrt(d / n);
    bool ok = error <= bar;
    failed |= !ok;
    printf("  %-12s %.2e%s\n", name, error, ok ? "" : "  <- over the bar");
}
