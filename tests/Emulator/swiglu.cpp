// SwiGlu.cu against the formulas in float64, results apart from inputs and in their place; the argument is how many numbers, a multiple of 8.
#include "Numbers.h"
#include "Ops/SwiGlu.cu"

int main(int argc, char** argv)
{
    size_t n = atoi(argv[1]);
    const double bar = HALF ? 3e-4 : 2e-3; // one rounding
    auto a = halves(n, 3), b = halves(n), dh = halves(n);
    vector<double> h(n), da(n), db(n);
    for (size_t i = 0; i < n; i++)
    {
        double x = widen(a[i]), y = widen(b[i]), d = widen(dh[i]), sigma = 1 / (1 + exp(-x));
        h[i] = x * sigma * y;
        da[i] = d * y * sigma * (1 + x * (1 - sigma));
        db[i] = d * x * sigma;
    }

    auto units = [](vector<b16>& x) { return (uint4*)x.data(); };
    int blocks = ((int)n / 8 + Threads - 1) / Threads;
    auto run = [&](auto kernel, vector<b16>& gate, vector<b16>& up, vector<b16>& dProduct, vector<b16>* product, vector<b16>& dGate, vector<b16>& dUp)
    {
        Arguments arguments{units(gate), units(up), units(dProduct), product ? units(*product) : nullptr, units(dGate), units(dUp), (long long)n / 8};
        emulator::launch(blocks, Threads, 0, [&] { kernel(arguments); });
    };

    printf("apart\n");
    auto product = nan_of<b16>(n), again = nan_of<b16>(n), dGate = nan_of<b16>(n), dUp = nan_of<b16>(n);
    run(swiglu, a, b, dh, &product, dGate, dUp);
    compare("h", product, h, bar);
    run(swiglu_backward, a, b, dh, &again, dGate, dUp);
    compare("h again", again, h, bar);
    compare("da", dGate, da, bar);
    compare("db", dUp, db, bar);
    run(swiglu_backward, a, b, dh, nullptr, dGate, dUp);
    compare("da alone", dGate, da, bar);
    compare("db alone", dUp, db, bar);
    printf("in place\n");
    auto gate = a, up = b;
    run(swiglu_backward, a, b, dh, &dh, a, b);
    compare("h", dh, h, bar);
    compare("da", a, da, bar);
    compare("db", b, db, bar);
    run(swiglu, gate, up, dh, &gate, dGate, dUp);
    compare("h", gate, h, bar);
    return failed;
}
