using T2R.Mixers;

namespace T2R.Tests.Models;

/// <summary>Softmax attention and gated slot attention over a whole text, one query after another, as the formulas are written.</summary>
internal static class ReferenceAttention
{
    /// <summary>Inputs and outputs <c>[T][D]</c>; weights by their name in the block.</summary>
    public static double[][] Softmax(TinyShape shape, double[][] inputs, Func<string, double[]> weight)
    {
        int d = shape.HeadDim, group = shape.Heads / shape.KeyValueHeads;
        double[][] q = [.. inputs.Select((x, t) => Rotate(ReferenceMath.Product(weight("q_proj"), x), t, shape))];
        double[][] k = [.. inputs.Select((x, t) => Rotate(ReferenceMath.Product(weight("k_proj"), x), t, shape))];
        double[][] v = [.. inputs.Select(x => ReferenceMath.Product(weight("v_proj"), x))];
        var outputs = new double[inputs.Length][];
        for (int t = 0; t < inputs.Length; t++)
        {
            var heads = new double[shape.Heads * d];
            int first = shape.Window is { } window ? Math.Max(0, t - window + 1) : 0;
            for (int h = 0; h < shape.Heads; h++)
            {
                int shared = h / group;
                var scores = new double[t - first + 1];
                for (int j = first; j <= t; j++)
                {
                    for (int c = 0; c < d; c++)
                    {
                        scores[j - first] += q[t][(h * d) + c] * k[j][(shared * d) + c] / Math.Sqrt(d);
                    }
                }

                double[] p = ReferenceMath.Softmax(scores);
                for (int j = first; j <= t; j++)
                {
                    for (int c = 0; c < d; c++)
                    {
                        heads[(h * d) + c] += p[j - first] * v[j][(shared * d) + c];
                    }
                }
            }

            outputs[t] = ReferenceMath.Product(weight("o_proj"), heads);
        }

        return outputs;
    }

    /// <summary>Inputs and outputs <c>[T][D]</c>.</summary>
    public static double[][] GatedSlots(TinyShape shape, double[][] inputs, Func<string, double[]> weight)
    {
        int d = shape.HeadDim, m = shape.Slots, group = shape.Heads / shape.KeyValueHeads;
        var keys = new double[shape.KeyValueHeads, d, m];
        var values = new double[shape.KeyValueHeads, m, d];
        var outputs = new double[inputs.Length][];
        for (int t = 0; t < inputs.Length; t++)
        {
            double[] q = ReferenceMath.Silu(ReferenceMath.Product(weight("q_proj"), inputs[t]));
            double[] k = ReferenceMath.Silu(ReferenceMath.Product(weight("k_proj"), inputs[t]));
            double[] v = ReferenceMath.Silu(ReferenceMath.Product(weight("v_proj"), inputs[t]));
            double[] f = ReferenceMath.Product(weight("f_proj"), inputs[t]);
            for (int n = 0; n < shape.KeyValueHeads; n++)
            {
                for (int slot = 0; slot < m; slot++)
                {
                    double forget = Math.Pow(1 / (1 + Math.Exp(-f[(n * m) + slot])), 1 / shape.Tau);
                    for (int c = 0; c < d; c++)
                    {
                        keys[n, c, slot] = (keys[n, c, slot] * forget) + (k[(n * d) + c] * (1 - forget));
                        values[n, slot, c] = (values[n, slot, c] * forget) + (v[(n * d) + c] * (1 - forget));
                    }
                }
            }

            var heads = new double[shape.Heads * d];
            for (int h = 0; h < shape.Heads; h++)
            {
                var scores = new double[m];
                for (int slot = 0; slot < m; slot++)
                {
                    for (int c = 0; c < d; c++)
                    {
                        scores[slot] += q[(h * d) + c] * keys[h / group, c, slot];
                    }
                }

                double[] p = ReferenceMath.Softmax(scores);
                for (int slot = 0; slot < m; slot++)
                {
                    for (int c = 0; c < d; c++)
                    {
                        heads[(h * d) + c] += p[slot] * values[h / group, slot, c];
                    }
                }
            }

            double[] normed = ReferenceMath.RmsNorm(ReferenceMath.Silu(heads), weight("g_norm"), 1e-5);
            outputs[t] = ReferenceMath.Product(weight("o_proj"), normed);
        }

        return outputs;
    }

    // Channel c and channel c + d/2 of each head are one plane, turned by t · θ^(−2c/d), or what scaling makes of it.
    private static double[] Rotate(double[] x, int t, TinyShape shape)
    {
        int d = shape.HeadDim;
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int c = i % d, half = d / 2;
            double angle = t * Scaled(Math.Pow(shape.Theta, -2.0 * (c % half) / d), shape.Scaling);
            y[i] = c < half
                ? (x[i] * Math.Cos(angle)) - (x[i + half] * Math.Sin(angle))
                : (x[i] * Math.Cos(angle)) + (x[i - half] * Math.Sin(angle));
        }

        return y;
    }

    private static double Scaled(double frequency, RopeScaling? scaling)
    {
        if (scaling is not Llama3RopeScaling llama)
        {
            return frequency / (scaling?.Factor ?? 1);
        }

        // How many turns the original length makes: few are slowed, many are kept.
        double turns = llama.OriginalPositions * frequency / (2 * Math.PI);
        double kept = Math.Clamp((turns - llama.LowFrequencyFactor) / (llama.HighFrequencyFactor - llama.LowFrequencyFactor), 0, 1);
        return (kept * frequency) + ((1 - kept) * frequency / llama.Factor);
    }
}
