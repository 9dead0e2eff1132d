// RmsNorm.cu for one WIDTH, THREADS and SILU against the formulas in float64; the arguments are the number of rows and of blocks.
#include "Numbers.h"
#include "Ops/RmsNorm.cu"

int main(int argc, char** argv)
{
    int rows = atoi(argv[1]), blocks = atoi(argv[2]);
    const double epsilon = 1e-3, bar = HALF ? 3e-4 : 2.2e-3; // one rounding
    size_t count = (size_t)rows * WIDTH;
    auto x = halves(count), dy = halves(count), past = halves(count);
    auto weight = floats(WIDTH), before = floats(WIDTH);
    vector<double> y(count), dx(count), dxAndPast(count), inverse(rows), dw(before.begin(), before.end());
    for (int row = 0; row < rows; row++)
    {
        double u[WIDTH], slope[WIDTH], squares = 0, products = 0;
        size_t first = (size_t)row * WIDTH;
        for (int i = 0; i < WIDTH; i++)
        {
            double v = widen(x[first + i]), sigma = 1 / (1 + exp(-v));
            u[i] = SILU ? v * sigma : v;
            slope[i] = SILU ? sigma * (1 + v * (1 - sigma)) : 1;
            squares += u[i] * u[i];
            products += u[i] * weight[i] * widen(dy[first + i]);
        }

        double r = inverse[row] = 1 / sqrt(squares / WIDTH + epsilon);
        for (int i = 0; i < WIDTH; i++)
        {
            double d = widen(dy[first + i]);
            y[first + i] = u[i] * r * weight[i];
            dx[first + i] = slope[i] * r * (weight[i] * d - u[i] * r * r * products / WIDTH);
            dxAndPast[first + i] = dx[first + i] + widen(past[first + i]);
            dw[i] += d * u[i] * r;
        }
    }

    auto actualY = nan_of<b16>(count), actualDx = nan_of<b16>(count);
    auto actualInverse = nan_of<float>(rows), shares = nan_of<float>((size_t)blocks * WIDTH), actualDw = before;
    Arguments a{};
    a.x = (uint4*)x.data();
    a.weight = weight.data();
    a.inverse = actualInverse.data();
    a.y = (uint4*)actualY.data();
    a.dy = (uint4*)dy.data();
    a.dx = (uint4*)actualDx.data();
    a.shares = shares.data();
    a.dWeight = actualDw.data();
    a.rows = rows;
    a.blocks = blocks;
    a.epsilon = (float)epsilon;
    using emulator::launch;
    launch(blocks, Threads, 2 * Warps * 4, [&] { rms_norm(a); });
    compare("y", actualY, y, bar);
    compare("r", actualInverse, inverse, 1e-6);
    launch(blocks, Threads, 2 * Warps * 4, [&] { rms_norm_backward(a); });
    launch((WIDTH + 31) / 32, SumThreads, SumThreads * 4, [&] { rms_norm_weight(a); });
    compare("dx", actualDx, dx, bar);
    compare("dw", actualDw, dw, 1e-5);
    a.past = (uint4*)past.data();
    launch(blocks, Threads, 2 * Warps * 4, [&] { rms_norm_backward(a); });
    compare("dx + past", actualDx, dxAndPast, bar);
    a.dx = (uint4*)past.data();
    launch(blocks, Threads, 2 * Warps * 4, [&] { rms_norm_backward(a); });
    compare("in its place", past, dxAndPast, bar);
    return failed;
}
