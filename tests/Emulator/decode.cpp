// Decode.cu against its formulas in float64, and one sequence's bits alone and among others; compiled for WEIGHTS, KEYS, VALUES, SLOTS, GROUPS. Arguments: sequences (at most 64),
// depth and rows of a product, key-value heads.
#include "Numbers.h"
#include "Ops/Decode/Decode.cu"
#include "Weight.h"

static int batch, depth, rows;
constexpr double Rounded = HALF ? 4e-4 : 3e-3, Epsilon = 0.5;
static double silu(double x) { return x / (1 + exp(-x)); }

template <class Kernel>
static void run(Kernel kernel, int tiles, int blockTiles, int bytes, const ProjectArguments& a)
{
    emulator::launch((tiles + blockTiles - 1) / blockTiles, ProjectThreads, bytes, [&] { kernel(a); });
}

static void products()
{
    Weight first(rows, depth), second(rows, depth);
    auto inputs = halves((size_t)batch * depth);
    auto squares = floats((size_t)batch * 3);
    for (auto& x : squares) x = (WEIGHTS == 8 ? 1e4f : 1) * depth * (fabs(x) + 1); // so that fp16 can hold what is gated
    auto norm = floats(rows), stream = floats((size_t)batch * rows);
    vector<double> y((size_t)batch * rows * 2), gated((size_t)batch * rows), added, normed, sums((size_t)batch * rows / 16);
    for (int b = 0; b < batch; b++)
    {
        double inverse = 0.5 / sqrt(((double)squares[b * 3] + squares[b * 3 + 1] + squares[b * 3 + 2]) / depth + Epsilon);
        for (int r = 0; r < rows * 2; r++)
        {
            double sum = 0;
            for (int i = 0; i < depth; i++)
            {
                sum += widen(inputs[b * depth + i]) * (r < rows ? first : second).value[(size_t)(r % rows) * depth + i];
            }

            y[(size_t)b * rows * 2 + r] = sum * inverse;
        }

        for (int r = 0; r < rows; r++)
        {
            gated[(size_t)b * rows + r] = silu(y[(size_t)b * rows * 2 + r]) * y[(size_t)b * rows * 2 + rows + r];
            double x = stream[(size_t)b * rows + r] + y[(size_t)b * rows * 2 + r];
            added.push_back(x);
            normed.push_back(x * norm[r]);
            sums[((size_t)b * rows + r) / 16] += x * x;
        }
    }

    ProjectArguments a{{{first.codes.data(), second.codes.data()}, {first.scales.data(), second.scales.data()}, {rows, rows * 2}}, inputs.data(), {squares.data(), 3, depth, (float)Epsilon, 0.5f}, depth, batch, rows * 2};
    vector<float> alone;
    auto check = [&](auto projectOf, auto addedOf, auto gatedOf, int columns)
    {
        for (int only = 0; only < 2; only++)
        {
            auto c = a;
            c.batch = only ? 1 : batch;
            if (c.batch > columns * 8)
            {
                continue;
            }

            const int* sizes = project_sizes + (columns == 1 ? 0 : columns == 2 ? 4 : columns == 4 ? 8 : 12);
            auto output = nan_of<float>((size_t)c.batch * rows * 2);
            c.outputs = output.data();
            run(projectOf, rows / 8, sizes[0], sizes[1], c);
            if (alone.empty())
            {
                alone.assign(output.begin(), output.begin() + rows * 2);
            }

            bool same = memcmp(alone.data(), output.data(), alone.size() * 4) == 0;
            failed |= !same;
            printf("columns %d, %d sequences%s\n", columns, c.batch, same ? "" : "  <- other bits");
            auto part = [&](vector<double> x) { x.resize(x.size() / batch * c.batch); return x; };
            compare("y", output, part(y), 1e-5);

            // A head's rows need not be whole tiles.
            auto ragged = nan_of<float>((size_t)c.batch * (rows - 3));
            auto d = c;
            d.rows = rows - 3;
            d.outputs = ragged.data();
            run(projectOf, rows / 16, sizes[0], sizes[1], d);
            vector<double> cut;
            for (int b = 0; b < c.batch; b++)
            {
                cut.insert(cut.end(), &y[(size_t)b * rows * 2], &y[(size_t)b * rows * 2 + rows - 3]);
            }

            compare("y, cut", ragged, cut, 1e-5);
            auto product = nan_of<b16>((size_t)c.batch * rows);
            c.gated = product.data();
            run(gatedOf, rows / 16, sizes[2] / 2, sizes[3], c);
            compare("gated", product, part(gated), Rounded);
            auto x = stream;
            auto xNormed = nan_of<b16>((size_t)c.batch * rows);
            auto xSquares = nan_of<float>((size_t)c.batch * rows / 16);
            c.rows = rows;
            c.stream = {x.data(), norm.data(), xNormed.data(), xSquares.data()};
            run(addedOf, rows / 16, sizes[0], sizes[1], c);
            compare("added", x, part(added), 1e-5);
            compare("normed", xNormed, part(normed), Rounded);
            compare("squares", xSquares, part(sums), 1e-5);
        }
    };
    check(project_1, project_added_1, project_gated_1, 1);
    check(project_2, project_added_2, project_gated_2, 2);
    check(project_4, project_added_4, project_gated_4, 4);
    check(project_8, project_added_8, project_gated_8, 8);
}

static void step(int heads)
{
    constexpr int groups = GROUPS;
    int slots = batch + 2, query = heads * groups, row = (query + heads) * KEYS + heads * (VALUES + SLOTS);
    auto products = floats((size_t)batch * row), keys = floats((size_t)slots * heads * KEYS * SLOTS, 0.3), values = floats((size_t)slots * heads * SLOTS * VALUES, 0.3), norm = floats((size_t)query * VALUES);
    auto normed = nan_of<b16>((size_t)batch * query * VALUES);
    auto squares = nan_of<float>((size_t)batch * query);
    vector<double> hk(keys.begin(), keys.end()), hv(values.begin(), values.end()), y, s;
    SlotStepArguments a{products.data(), keys.data(), values.data(), norm.data(), normed.data(), squares.data(), heads, 0.125f};
    for (int b = 0; b < batch; b++)
    {
        a.slots[b] = slots - 1 - b;
        const float *q = products.data() + (size_t)b * row, *k = q + query * KEYS, *v = k + heads * KEYS, *f = v + heads * VALUES;
        for (int n = 0; n < heads; n++)
        {
            double *Hk = &hk[(size_t)(a.slots[b] * heads + n) * KEYS * SLOTS], *Hv = &hv[(size_t)(a.slots[b] * heads + n) * SLOTS * VALUES];
            for (int m = 0; m < SLOTS; m++)
            {
                double g = -log1p(exp(-(double)f[n * SLOTS + m])) / 8, w = -expm1(g);
                for (int c = 0; c < KEYS; c++) Hk[c * SLOTS + m] = Hk[c * SLOTS + m] * exp(g) + silu(k[n * KEYS + c]) * w;
                for (int c = 0; c < VALUES; c++) Hv[m * VALUES + c] = Hv[m * VALUES + c] * exp(g) + silu(v[n * VALUES + c]) * w;
            }

            for (int h = 0; h < groups; h++)
            {
                double p[SLOTS], sum = 0, square = 0;
                for (int m = 0; m < SLOTS; m++)
                {
                    p[m] = 0;
                    for (int c = 0; c < KEYS; c++) p[m] += silu(q[(n * groups + h) * KEYS + c]) * Hk[c * SLOTS + m];
                    p[m] = exp(p[m]);
                    sum += p[m];
                }

                for (int c = 0; c < VALUES; c++)
                {
                    double o = 0;
                    for (int m = 0; m < SLOTS; m++) o += p[m] / sum * Hv[m * VALUES + c];
                    o = silu(o);
                    square += o * o;
                    y.push_back(o * norm[(n * groups + h) * VALUES + c]);
                }

                s.push_back(square);
            }
        }
    }

    emulator::launch(batch * heads, StepThreads, slot_step_shared[0], [&] { slot_step(a); });
    printf("step\n");
    compare("keys", keys, hk, 1e-6);
    compare("values", values, hv, 1e-6);
    compare("normed", normed, y, Rounded);
    compare("squares", squares, s, 1e-5);
}

int main(int argc, char** argv)
{
    batch = atoi(argv[1]);
    depth = atoi(argv[2]);
    rows = atoi(argv[3]);
    products();
    step(atoi(argv[4]));
    return failed;
}
