// SumOfSquares.cu against float64; the arguments are how many numbers, and blocks, of the larger of two tensors of each type.
#include "Numbers.h"
#include "Ops/SumOfSquares.cu"

int main(int argc, char** argv)
{
    size_t n = atoi(argv[1]), few = n / 7 + 1;
    int blocks = atoi(argv[2]);
    vector<bf16> halves1 = halves(few), halves2 = halves(n);
    vector<float> singles1 = floats(n), singles2 = floats(few);
    double expected = 0;
    auto add = [&](const auto& numbers)
    {
        for (auto x : numbers)
        {
            expected += value(x) * value(x);
        }
    };
    add(halves1), add(halves2), add(singles1), add(singles2);
    auto shares = nan_of<float>(2 * blocks + 2);
    vector<double> sum(1, NAN);
    auto share = [&](auto kernel, Part first, Part second)
    {
        Arguments a{};
        second.start = first.blocks;
        a.parts[0] = first;
        a.parts[1] = second;
        for (int i = 2; i < MostParts; i++)
        {
            a.parts[i].start = 0x7FFFFFFF;
        }

        emulator::launch(first.blocks + second.blocks, Threads, Warps * 4, [&] { kernel(a); });
    };
    share(squares_of_bf16, Part{halves1.data(), (long long)few, &shares[0], 0, 1}, Part{halves2.data(), (long long)n, &shares[1], 0, blocks});
    share(squares_of_f32, Part{singles1.data(), (long long)n, &shares[1 + blocks], 0, blocks}, Part{singles2.data(), (long long)few, &shares[1 + 2 * blocks], 0, 1});
    emulator::launch(1, SumThreads, SumThreads * 8, [&] { sum_of_shares(Shares{shares.data(), (long long)shares.size(), sum.data()}); });
    vector<float> actual(1, (float)sum[0]);
    compare("sum", actual, vector<double>(1, expected), 1e-6);
    return failed;
}
