// Ops/Fp8/Cast.cu against rounding number by number, as it lies, transposed and both, into places wider than it; the arguments are rows and columns, multiples of 16.
#include "Numbers.h"
#include "Ops/Fp8/Cast.cu"

static void require(const char* name, bool holds)
{
    failed |= !holds;
    printf("  %-12s %s\n", name, holds ? "same bits" : "differs  <- over the bar");
}

int main(int argc, char** argv)
{
    int rows = atoi(argv[1]), columns = atoi(argv[2]);
    size_t n = (size_t)rows * columns;
    auto x = halves(n, 40);
    x[n / 2] = round_bf16(-3e4f);
    x[n - 1] = round_bf16(0.0f);
    const float scale = 1.7f;
    int blocks = ((rows + Tile - 1) / Tile) * ((columns + Tile - 1) / Tile);
    for (int format = 0; format < 2; format++)
    {
        printf("%s\n", format == 0 ? "e4m3" : "e5m2");
        for (int places = 0; places < 4; places++)
        {
            // What is around a place must stay.
            const size_t straightStride = columns + 32, transposedStride = rows + 16;
            vector<unsigned char> straight(rows * straightStride, 0xAA), transposed(columns * transposedStride, 0xAA), straightWanted = straight, transposedWanted = transposed;
            float largest = 1.0f, largestWanted = 1.0f;
            for (int r = 0; r < rows; r++)
            {
                for (int c = 0; c < columns; c++)
                {
                    float value = widen(x[(size_t)r * columns + c]), scaled = value * scale;
                    unsigned char bits = format == 0 ? round_e4m3(scaled) : round_e5m2(scaled);
                    if (places & 1)
                    {
                        straightWanted[r * straightStride + 16 + c] = bits;
                    }

                    if (places & 2)
                    {
                        transposedWanted[c * transposedStride + 16 + r] = bits;
                    }

                    largestWanted = fmaxf(largestWanted, fabsf(value));
                }
            }

            // From a multiple of 16 bytes on, as the card wants it.
            auto aligned = [](size_t bytes) { return (unsigned char*)aligned_alloc(64, (bytes + 63) / 64 * 64); };
            unsigned char *to = aligned(straight.size()), *toTransposed = aligned(transposed.size());
            memcpy(to, straight.data(), straight.size());
            memcpy(toTransposed, transposed.data(), transposed.size());
            Arguments a{
                (const uint4*)x.data(), places & 1 ? to + 16 : nullptr, places & 2 ? toTransposed + 16 : nullptr, &scale, &largest,
                (long long)straightStride, (long long)transposedStride, rows, columns};
            emulator::launch(blocks, Threads, Tile * Tile, [&] { format == 0 ? cast_e4m3(a) : cast_e5m2(a); });
            require("as it lies", memcmp(to, straightWanted.data(), straight.size()) == 0);
            require("transposed", memcmp(toTransposed, transposedWanted.data(), transposed.size()) == 0);
            require("largest", largest == largestWanted);
            free(to);
            free(toTransposed);
        }
    }

    return failed;
}
