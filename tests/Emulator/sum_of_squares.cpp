// SumOfSquares.cu against float64; the arguments are how many numbers, and blocks.
#include "Numbers.h"
#include "Ops/SumOfSquares.cu"

int main(int argc, char** argv)
{
    size_t n = atoi(argv[1]);
    int blocks = atoi(argv[2]);
    auto half = halves(n);
    auto single = floats(n);
    double expected = 0;
    for (size_t i = 0; i < n; i++)
    {
        expected += (double)widen(half[i]) * widen(half[i]) + (double)single[i] * single[i];
    }

    auto shares = nan_of<float>(2 * blocks);
    vector<double> sum(1, NAN);
    auto share = [&](auto kernel, void* numbers, int at)
    {
        Arguments a{numbers, (long long)n, shares.data() + at, nullptr};
        emulator::launch(blocks, Threads, Warps * 4, [&] { kernel(a); });
    };
    share(squares_of_bf16, half.data(), 0);
    share(squares_of_f32, single.data(), blocks);
    Arguments all{nullptr, 2 * blocks, shares.data(), sum.data()};
    emulator::launch(1, SumThreads, SumThreads * 8, [&] { sum_of_shares(all); });
    vector<float> actual(1, (float)sum[0]);
    compare("sum", actual, vector<double>(1, expected), 1e-6);
    return failed;
}
