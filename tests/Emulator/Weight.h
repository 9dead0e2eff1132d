#pragma once

// A weight with codes and scales drawn, packed as Weights.cuh says, and what they stand for.
struct Weight
{
    vector<unsigned char> codes;
    vector<bf16> scales;
    vector<double> value;

    Weight(int rows, int depth) : codes((size_t)rows * depth * WEIGHTS / 8), scales((size_t)rows * depth / Together), value((size_t)rows * depth)
    {
        for (auto& s : scales) s = round_bf16((float)(fabs(normal()) + 0.5));
        for (int row = 0; row < rows; row++)
        {
            for (int k = 0; k < depth; k++)
            {
                size_t at = (size_t)row * depth + k;
                double scale = widen_bf16(scales[k / Together * rows + row]);
                int lane = row % 8 * 4 + k % 64 / 16, half = row / 8 % 2;
                size_t group = (size_t)row / 16 * (depth / Together) + k / Together;
#if WEIGHTS == 16
                b16 w = round_b16((float)normal());
                ((b16*)codes.data())[at] = w;
                value[at] = widen(w);
#elif WEIGHTS == 8
                int order[] = {0, 2, 1, 3}, code = (int)(rng() % 255) - 127;
                codes[((group * 2 + half) * 32 + lane) * 16 + k % 16 / 4 * 4 + order[k % 4]] = (unsigned char)code;
                value[at] = code * scale;
#else
                int order[] = {0, 4, 1, 5, 2, 6, 3, 7}, code = rng() % 16, nibble = k % 16 / 8 * 8 + order[k % 8];
                codes[(group * 32 + lane) * 16 + half * 8 + nibble / 2] |= code << (nibble % 2 * 4);
                value[at] = (code - 8) * scale;
#endif
            }
        }
    }
};
