// Dequantize.cu against what the codes stand for; compiled for WEIGHTS and HALF. Arguments: rows and depth.
#include "Numbers.h"
#include "Ops/Quantized/Dequantize.cu"
#include "Weight.h"

int main(int, char** argv)
{
    int rows = atoi(argv[1]), depth = atoi(argv[2]), tiles = rows / 16 * (depth / Together);
    Weight weight(rows, depth);
    auto numbers = nan_of<b16>((size_t)rows * depth);
    Arguments a{(const uint4*)weight.codes.data(), weight.scales.data(), numbers.data(), rows, depth};
    emulator::launch((tiles + Threads / 32 - 1) / (Threads / 32), Threads, 0, [&] { dequantize(a); });
    for (size_t i = 0; i < numbers.size(); i++)
    {
        failed |= numbers[i] != round_b16((float)weight.value[i]);
    }

    printf("%zu numbers%s\n", numbers.size(), failed ? "  <- some are wrong" : "");
    return failed;
}
