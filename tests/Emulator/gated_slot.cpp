// GatedSlot.cu for one KEYS, VALUES, SLOTS and MAPS against the recurrence in float64: every output, and unless HALF every gradient. README.md says how it is built and what its arguments are.
#include "Numbers.h"
#include "Ops/GatedSlot/GatedSlot.cu"

int main(int argc, char** argv)
{
    int B = atoi(argv[1]), T = atoi(argv[2]), N = atoi(argv[3]), G = atoi(argv[4]);
    double hard = atof(argv[5]);
    bool hasStates = atoi(argv[6]) & 1, hasDocuments = atoi(argv[6]) & 2;
    constexpr int K = KEYS, V = VALUES, M = SLOTS;
    int H = N * G;
    double tau = MAPS ? 8 : 1;
    auto q = halves((size_t)B * T * H * K), k = halves((size_t)B * T * N * K), v = halves((size_t)B * T * N * V), dOut = halves((size_t)B * T * H * V);
    auto f = halves((size_t)B * T * N * M, hard);
    vector<float> g(f.size()), s(f.size());
    vector<unsigned char> starts((size_t)B * T, 0);
    auto silu64 = [](double x) { return x / (1 + exp(-x)); };
    auto slope64 = [](double x) { double y = 1 / (1 + exp(-x)); return y * (1 + x * (1 - y)); };
    if (!MAPS)
    {
        for (auto* x : {&q, &k, &v})
            for (auto& y : *x) y = round_b16((float)silu64(widen(y)));
        for (size_t i = 0; i < f.size(); i++)
        {
            double x = widen(f[i]);
            g[i] = (float)(-log1p(exp(-x)) / 8);
            if (x < -60) g[i] = (float)(x / 8);
            s[i] = (float)-expm1(g[i]);
        }
    }
    if (hasDocuments)
        for (auto& x : starts) x = rng() % 40 == 0;
    size_t stateK = (size_t)B * N * K * M, stateV = (size_t)B * N * M * V;
    auto hk0 = floats(stateK), hv0 = floats(stateV), dhk = floats(stateK), dhv = floats(stateV);

    // Reference
    vector<double> o(q.size() / K * V), hkT(stateK), hvT(stateV), dq(q.size()), dk(k.size()), dv(v.size()), ds(f.size()), dg(f.size()), df(f.size()), dhk0(stateK), dhv0(stateV);
    for (int b = 0; b < B; b++) for (int n = 0; n < N; n++)
    {
        vector<vector<double>> hk(T + 1, vector<double>(K * M)), hv(T + 1, vector<double>(M * V));
        if (hasStates)
        {
            for (int i = 0; i < K * M; i++) hk[0][i] = hk0[((size_t)b * N + n) * K * M + i];
            for (int i = 0; i < M * V; i++) hv[0][i] = hv0[((size_t)b * N + n) * M * V + i];
        }
        auto in = [&](const vector<b16>& x, size_t i) { double y = widen(x[i]); return MAPS ? silu64(y) : y; };
        auto gate = [&](int t, int m, double& G_, double& S_) {
            size_t i = (((size_t)b * T + t) * N + n) * M + m;
            G_ = MAPS ? -log1p(exp(-(double)widen(f[i]))) / tau : g[i];
            S_ = MAPS ? -expm1(G_) : s[i];
        };
        vector<double> P((size_t)T * G * M);
        for (int t = 0; t < T; t++)
        {
            bool start = starts[(size_t)b * T + t];
            for (int m = 0; m < M; m++)
            {
                double G_, S_; gate(t, m, G_, S_);
                double a = start ? 0 : exp(G_);
                for (int d = 0; d < K; d++) hk[t + 1][d * M + m] = hk[t][d * M + m] * a + in(k, (((size_t)b * T + t) * N + n) * K + d) * S_;
                for (int d = 0; d < V; d++) hv[t + 1][m * V + d] = hv[t][m * V + d] * a + in(v, (((size_t)b * T + t) * N + n) * V + d) * S_;
            }
            for (int gg = 0; gg < G; gg++)
            {
                size_t h = ((size_t)b * T + t) * H + n * G + gg;
                double l[M], most = -1e300, sum = 0;
                for (int m = 0; m < M; m++) l[m] = 0;
                for (int d = 0; d < K; d++) { double x = in(q, h * K + d); for (int m = 0; m < M; m++) l[m] += x * hk[t + 1][d * M + m]; }
                for (int m = 0; m < M; m++) most = fmax(most, l[m]);
                for (int m = 0; m < M; m++) sum += l[m] = exp(l[m] - most);
                for (int m = 0; m < M; m++) { double p = P[((size_t)t * G + gg) * M + m] = l[m] / sum; for (int d = 0; d < V; d++) o[h * V + d] += p * hv[t + 1][m * V + d]; }
            }
        }
        for (int i = 0; i < K * M; i++) hkT[((size_t)b * N + n) * K * M + i] = hk[T][i];
        for (int i = 0; i < M * V; i++) hvT[((size_t)b * N + n) * M * V + i] = hv[T][i];
        vector<double> dHk(K * M), dHv(M * V);
        if (hasStates)
        {
            for (int i = 0; i < K * M; i++) dHk[i] = dhk[((size_t)b * N + n) * K * M + i];
            for (int i = 0; i < M * V; i++) dHv[i] = dhv[((size_t)b * N + n) * M * V + i];
        }
        for (int t = T - 1; t >= 0; t--)
        {
            bool start = starts[(size_t)b * T + t];
            for (int gg = 0; gg < G; gg++)
            {
                size_t h = ((size_t)b * T + t) * H + n * G + gg;
                double* p = &P[((size_t)t * G + gg) * M]; double dp[M], dot = 0;
                for (int m = 0; m < M; m++)
                {
                    dp[m] = 0;
                    for (int d = 0; d < V; d++) { double y = widen(dOut[h * V + d]); dp[m] += y * hv[t + 1][m * V + d]; dHv[m * V + d] += p[m] * y; }
                    dot += p[m] * dp[m];
                }
                for (int d = 0; d < K; d++)
                {
                    double x = in(q, h * K + d), sum = 0;
                    for (int m = 0; m < M; m++) { double z = p[m] * (dp[m] - dot); sum += z * hk[t + 1][d * M + m]; dHk[d * M + m] += x * z; }
                    dq[h * K + d] = sum * (MAPS ? slope64(widen(q[h * K + d])) : 1);
                }
            }
            size_t row = ((size_t)b * T + t) * N + n;
            for (int m = 0; m < M; m++)
            {
                double G_, S_; gate(t, m, G_, S_);
                double a = start ? 0 : exp(G_), sumS = 0, sumG = 0;
                for (int d = 0; d < K; d++) { size_t i = row * K + d; dk[i] += dHk[d * M + m] * S_; sumS += dHk[d * M + m] * in(k, i); sumG += a * hk[t][d * M + m] * dHk[d * M + m]; dHk[d * M + m] *= a; }
                for (int d = 0; d < V; d++) { size_t i = row * V + d; dv[i] += dHv[m * V + d] * S_; sumS += dHv[m * V + d] * in(v, i); sumG += a * hv[t][m * V + d] * dHv[m * V + d]; dHv[m * V + d] *= a; }
                ds[row * M + m] = sumS;
                dg[row * M + m] = sumG;
                df[row * M + m] = 1 / tau / (1 + exp((double)widen(f[row * M + m]))) * (sumG - exp(G_) * sumS);
            }
            if (MAPS)
            {
                for (int d = 0; d < K; d++) dk[row * K + d] *= slope64(widen(k[row * K + d]));
                for (int d = 0; d < V; d++) dv[row * V + d] *= slope64(widen(v[row * V + d]));
            }
        }
        for (int i = 0; i < K * M; i++) dhk0[((size_t)b * N + n) * K * M + i] = dHk[i];
        for (int i = 0; i < M * V; i++) dhv0[((size_t)b * N + n) * M * V + i] = dHv[i];
    }

    // The kernels
    int chunks = (T + Tokens - 1) / Tokens, blocks = B * N * chunks;
    auto states = nan_of<b16>((size_t)blocks * State), dStates = nan_of<b16>(states.size()), output = nan_of<b16>(o.size());
    auto decays = nan_of<float>((size_t)blocks * M), lastKeys = nan_of<float>(stateK), lastValues = nan_of<float>(stateV), rows = nan_of<float>(f.size());
    auto p = nan_of<b16>((size_t)B * T * H * M), z = nan_of<b16>(p.size()), gq = nan_of<b16>(q.size()), gk = nan_of<b16>(k.size()), gv = nan_of<b16>(v.size());
    auto gGate = nan_of<b16>(f.size()); auto gG = nan_of<float>(f.size()), gS = nan_of<float>(f.size()), gFirstKeys = nan_of<float>(stateK), gFirstValues = nan_of<float>(stateV);
    Arguments a{};
    a.q = q.data(); a.k = k.data(); a.v = v.data(); a.gate = MAPS ? (void*)f.data() : (void*)g.data(); a.write = s.data();
    a.starts = hasDocuments ? starts.data() : nullptr;
    a.firstKeys = hasStates ? hk0.data() : nullptr; a.firstValues = hasStates ? hv0.data() : nullptr;
    a.states = states.data(); a.decays = decays.data(); a.lastKeys = lastKeys.data(); a.lastValues = lastValues.data(); a.output = output.data();
    a.dOutput = dOut.data(); a.dLastKeys = hasStates ? dhk.data() : nullptr; a.dLastValues = hasStates ? dhv.data() : nullptr;
    a.p = p.data(); a.z = z.data(); a.rows = rows.data(); a.dStates = dStates.data(); a.dq = gq.data(); a.dk = gk.data(); a.dv = gv.data();
    a.dGate = MAPS ? (void*)gGate.data() : (void*)gG.data(); a.dWrite = gS.data(); a.dFirstKeys = gFirstKeys.data(); a.dFirstValues = gFirstValues.data();
    a.qStride = a.dqStride = H * K; a.kStride = a.dkStride = N * K; a.vStride = a.dvStride = N * V; a.gateStride = a.dGateStride = N * M;
    a.batch = B; a.length = T; a.heads = N; a.groups = G; a.rate = (float)(1 / tau);
    using emulator::launch;
    launch(blocks, Threads, WriteShared::Bytes, [&] { gsa_write(a); });
    launch(B * N * State / 2 / Threads, Threads, 0, [&] { gsa_scan(a); });
    launch(blocks, Threads, Chunk::Bytes, [&] { gsa_output(a); });
    const double bar = HALF ? 7e-4 : 5e-3;
    compare("o", output, o, bar);
    compare("hkt", lastKeys, hkT, bar);
    compare("hvt", lastValues, hvT, bar);
#if HALF
    printf("shared memory: write %d output %d\n", WriteShared::Bytes, Chunk::Bytes);
#else
    launch(blocks, Threads, Chunk::Bytes, [&] { gsa_rows_backward(a); });
    compare("dq", gq, dq, 5e-3);
    launch(blocks, Threads, AskShared::Bytes, [&] { gsa_ask(a); });
    launch(B * N * State / 2 / Threads, Threads, 0, [&] { gsa_scan_backward(a); });
    compare("dhk0", gFirstKeys, dhk0, 5e-3);
    compare("dhv0", gFirstValues, dhv0, 5e-3);
    launch(blocks, Threads, Columns::Bytes, [&] { gsa_columns_backward(a); });
    compare("dk", gk, dk, 5e-3);
    compare("dv", gv, dv, 5e-3);
    if (MAPS)
    {
        compare("df", gGate, df, 8e-3);
    }
    else
    {
        compare("ds", gS, ds, 8e-3);
        compare("dg", gG, dg, 8e-3);
    }

    printf("shared memory: write %d output %d ask %d columns %d\n", WriteShared::Bytes, Chunk::Bytes, AskShared::Bytes, Columns::Bytes);
#endif
    return failed;
}
