using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using T2R.Generation.Decoding;
using T2R.Interop;
using T2R.Models;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>
/// How long the CPU takes for a token of a recurrent model, beside the floor: the weights' bytes over what one thread was just seen to read of them. Each figure is the best of several
/// rounds, which take turns.
/// </summary>
internal static class DecodingMeasure
{
    private const int Rounds = 7;
    private static readonly int[] Batches = [1, 2, 4, 8, 16, 32];

    /// <param name="path">The model's folder.</param>
    /// <param name="weights">What they are held in: a dtype's name, or int8 or int4, with bf16 for embedding and head.</param>
    public static void Run(string path, string weights)
    {
        using var folder = ModelFolder.Open(path);
        var quantization = QuantizedFormat.All.FirstOrDefault(f => f.Name == weights);
        using var model = folder.Load(CPU, quantization is null ? DtypeName.Parse(weights) : ScalarType.BFloat16, quantization);
        using var decoder = new CpuDecoder(model, Batches[^1]);
        using var tensors = new TensorDecoder(model, 1);
        int[] prompt = [.. Enumerable.Range(0, 512).Select(i => ((i * i) + (7 * i)) % model.Config.VocabularySize)], next = new int[1];
        var figures = new List<(string Name, int Tokens, Action Work)> { ("CpuDecoder, 512 of a prompt", prompt.Length, () => Prefill(decoder, prompt)) };
        if (quantization is null)
        {
            figures.Add(("tensors, one token", 1, () => tensors.Step([0], [7])));
            figures.Add(("tensors, 512 of a prompt", prompt.Length, () => tensors.Prefill(0, prompt)));
        }

        foreach (int batch in Batches)
        {
            int[] slots = [.. Enumerable.Range(0, batch)], ids = [.. slots.Select(s => s + 5)];
            figures.Add(($"CpuDecoder, {batch} sequences", batch, () => decoder.Step(slots, ids)));
        }

        Tensor[] read = Read(model);
        double seconds = Seconds(() => Array.ForEach(read, w => Sum(TensorMemory.Bytes(w)))), bytes = read.Sum(t => t.numel() * t.element_size());
        Console.WriteLine($"{model.Weights.ParameterCount:N0} parameters in {weights}; a token reads {bytes / 1e6:F1} MB, in {seconds * 1e3:F3} ms by one thread ({bytes / seconds / 1e9:F1} GB/s)");
        var best = Enumerable.Repeat(double.MaxValue, figures.Count).ToArray();
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < figures.Count; i++)
            {
                best[i] = Math.Min(best[i], Seconds(figures[i].Work));
            }
        }

        for (int i = 0; i < figures.Count; i++)
        {
            Console.WriteLine($"{figures[i].Name}: {best[i] * 1e3:F3} ms, {figures[i].Tokens / best[i]:F1} tokens/s, floor / measured {seconds / best[i]:P0}");
        }
    }

    private static void Prefill(CpuDecoder decoder, int[] prompt)
    {
        for (int start = 0; start < prompt.Length; start += decoder.PrefillLength)
        {
            decoder.Prefill(0, prompt.AsSpan(start, Math.Min(decoder.PrefillLength, prompt.Length - start)));
        }
    }

    // The best of as many calls as fit into a tenth of a second, at least two.
    private static double Seconds(Action work)
    {
        double best = double.MaxValue;
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < 2 || Stopwatch.GetElapsedTime(began).TotalSeconds < 0.1; i++)
        {
            long start = Stopwatch.GetTimestamp();
            work();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    // All but the embedding, of which a token reads one row unless it is the head as well.
    private static Tensor[] Read(CausalLM model) =>
    [
        .. model.Weights.All.Where(w => w.Spec.Name != WeightLayout.Embedding || model.Config.TieWordEmbeddings).Select(w => w.Tensor),
        .. model.Weights.Specs.Select(s => model.Weights.Quantized(s.Name)).OfType<QuantizedWeight>().SelectMany(w => (Tensor[])[w.Codes, w.Scales]),
    ];

    // In four streams, as a product reads four rows.
    private static ulong Sum(ReadOnlySpan<byte> bytes)
    {
        var vectors = MemoryMarshal.Cast<byte, Vector<ulong>>(bytes);
        int quarter = vectors.Length / 4;
        ReadOnlySpan<Vector<ulong>> p = vectors[..quarter], q = vectors.Slice(quarter, quarter), r = vectors.Slice(2 * quarter, quarter), s = vectors.Slice(3 * quarter, quarter);
        Vector<ulong> a = default, b = default, c = default, d = default;
        for (int i = 0; i < quarter; i++)
        {
            a += p[i];
            b += q[i];
            c += r[i];
            d += s[i];
        }

        return (a + b + c + d)[0];
    }
}
