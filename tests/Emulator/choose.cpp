// Choose.cu against a plain sampler: sorted tokens, filters one after the other, the smallest E / w. The argument is the vocabulary's size.
#include "Numbers.h"
#include "Ops/Decode/Choose.cu"
#include <algorithm>

static int plain(const float* row, const Choice& c)
{
    vector<float> logits(row, row + c.vocabulary);
    vector<int> order(logits.size());
    for (int i = 0; i < (int)order.size(); i++) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](int x, int y) { return logits[x] > logits[y]; });
    float largest = logits[order[0]];
    if (c.temperature == 0) return order[0];
    if (c.topK > 0 && c.topK < (int)order.size()) order.resize(c.topK);
    double sum = 0, kept = 0;
    for (int i : order) sum += exp(((double)logits[i] - largest) / c.temperature);
    if (c.topP < 1)
    {
        size_t n = 0;
        while (n < order.size() && kept < sum * c.topP) kept += exp(((double)logits[order[n++]] - largest) / c.temperature);
        order.resize(n);
    }

    Arrival first{INFINITY, 0};
    for (int i : order)
    {
        if (c.minP > 0 && logits[i] < (float)(largest + c.temperature * log(c.minP))) continue;
        first = first_of(first, arrival_of(c, logits[i], largest, i));
    }

    return first.id;
}

int main(int argc, char** argv)
{
    int vocabulary = atoi(argv[1]), rows = 5;
    Arguments a{};
    auto logits = floats((size_t)rows * vocabulary, 2);
    for (auto& x : logits) x = roundf(x * 64) / 64; // some are equal
    logits[vocabulary * 3 + 5] = NAN;
    for (int i = 0; i < vocabulary; i++) logits[vocabulary * 4 + i] = i % 2 ? 0.0f : -0.0f; // all are equal
    vector<int> ids(MostSequences, -2);
    int n = 0;
    for (double temperature : {0.0, 0.3, 1.0, 5.0})
    {
        for (int topK : {0, 1, 7, 100})
        {
            for (double topP : {1.0, 0.5})
            {
                a.choices[n] = {(unsigned long long)n * 77777777777ull, n * 3, temperature, topP, n % 3 == 0 ? 0.1 : 0.0, topK, n % 3, n % 5 < 2 ? vocabulary / 2 : vocabulary};
                n++;
            }
        }
    }

    for (int topK : {0, 1, 7}) a.choices[n++] = {3, 5, topK == 0 ? 0.0 : 1.0, 1, 0, topK, 4, vocabulary};
    a.choices[n++] = {1, 1, 1, 1, 0, 0, 3, 6};
    a.choices[n++] = {1, 1, 0, 1, 0, 0, 3, 5}; // what is no number is beyond its ids
    a.logits = logits.data();
    a.ids = ids.data();
    a.stride = vocabulary;
    emulator::launch(n, Threads, choose_shared[0], [&] { choose(a); });
    for (int i = 0; i < n; i++)
    {
        int expected = i + 2 == n ? -1 : plain(&logits[a.choices[i].row * vocabulary], a.choices[i]);
        if (ids[i] != expected)
        {
            printf("sequence %d: %d, expected %d\n", i, ids[i], expected);
            failed = true;
        }
    }

    return failed;
}
