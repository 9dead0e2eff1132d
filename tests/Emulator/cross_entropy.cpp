// CrossEntropy.cu against the formulas in float64, without a teacher and with one; the arguments are the number of rows and the vocabulary.
#include "Numbers.h"
#include "Ops/CrossEntropy.cu"

static double log_sum(const bf16* x, int n, double temperature)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
    {
        most = std::max(most, (double)widen(x[i]));
    }

    for (int i = 0; i < n; i++)
    {
        sum += exp((widen(x[i]) - most) / temperature);
    }

    return most / temperature + log(sum);
}

int main(int argc, char** argv)
{
    int rows = atoi(argv[1]), vocabulary = atoi(argv[2]);
    const double scale = 0.3, teacherScale = 0.7, temperature = 2.5, bar = 3.9e-3; // one rounding, of few numbers that outweigh all others
    size_t count = (size_t)rows * vocabulary;
    auto z = halves(count, 4), t = halves(count, 4);
    z[0] = round_bf16(-INFINITY);
    vector<long long> labels(rows);
    vector<double> cross(rows), divergence(rows), dz(count), dzTaught(count);
    for (int row = 0; row < rows; row++)
    {
        labels[row] = row % 3 == 2 ? -100 : row == 1 ? vocabulary - 1 : (row * 7919 + 1) % vocabulary;
        size_t first = (size_t)row * vocabulary;
        const bf16 *zs = z.data() + first, *ts = t.data() + first;
        double log = log_sum(zs, vocabulary, 1), logWarm = log_sum(zs, vocabulary, temperature), logTaught = log_sum(ts, vocabulary, temperature);
        if (labels[row] >= 0)
        {
            cross[row] = log - widen(zs[labels[row]]);
            for (int i = 0; i < vocabulary; i++)
            {
                double p = widen(zs[i]) / temperature - logWarm, q = widen(ts[i]) / temperature - logTaught;
                dz[first + i] = scale * (exp(widen(zs[i]) - log) - (i == labels[row]));
                dzTaught[first + i] = dz[first + i] + teacherScale * temperature * (exp(p) - exp(q));
                divergence[row] += row == 0 && i == 0 ? 0 : temperature * temperature * exp(q) * (q - p);
            }
        }
    }

    auto run = [&](auto kernel, bool taught)
    {
        auto logits = z;
        auto actualCross = nan_of<float>(rows), actualDivergence = nan_of<float>(rows);
        Arguments a{logits.data(), taught ? t.data() : nullptr, labels.data(), actualCross.data(), taught ? actualDivergence.data() : nullptr,
            vocabulary, (float)scale, (float)teacherScale, (float)temperature};
        emulator::launch(rows, Threads, Warps * 8, [&] { kernel(a); });
        compare("cross", actualCross, cross, 1e-6);
        compare("dz", logits, taught ? dzTaught : dz, bar);
        if (taught)
        {
            // What a student thinks impossible and its teacher does not is infinitely far off.
            printf("  %g of row 0\n", actualDivergence[0]);
            failed |= !std::isinf(actualDivergence[0]);
            actualDivergence[0] = (float)divergence[0];
            compare("divergence", actualDivergence, divergence, 1e-5);
        }
    };
    if (vocabulary % 8 == 0)
    {
        run(cross_entropy, false);
        run(cross_entropy_taught, true);
    }

    run(cross_entropy_single, false);
    run(cross_entropy_taught_single, true);
    return failed;
}
