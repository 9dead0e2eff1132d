using System.Diagnostics;
using System.Globalization;
using T2R.Bench;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>Generates very many tokens and says, part by part, what one took and what memory was held: both are to stay where they were after the first thousand.</summary>
internal static class EnduranceMeasure
{
    private const int Parts = 10, First = 1000, WarmUps = 50;

    /// <summary>Runs.</summary>
    /// <param name="model">A folder, for the CPU; or a shape as <c>t2r bench decode --config</c> takes it, with random weights in fp16 on the card.</param>
    /// <param name="tokens">How many, of all sequences together.</param>
    /// <param name="sequences">How many at once.</param>
    public static void Run(string model, long tokens, int sequences)
    {
        using var loaded = Directory.Exists(model) ? Open(model) : new CausalLM(DecodeBench.Shape(model), TypicalWeights.DrawThere(DecodeBench.Shape(model), CUDA, ScalarType.Float16));
        using var decoder = Decoders.Open(loaded, sequences);
        bool onCard = loaded.Device.type == TorchSharp.DeviceType.CUDA;
        int[] slots = [.. Enumerable.Range(0, sequences)], ids = [.. slots.Select(s => 3 + s)];
        Sampler[] samplers = [.. slots.Select(s => new Sampler(new SamplingOptions { Seed = (ulong)s }, loaded.Config.VocabularySize))];
        Console.WriteLine($"{(onCard ? CudaDevice.All()[0].Name : "CPU")}: {loaded.Weights.ParameterCount:N0} parameters, {sequences} sequences, {decoder.StateBytes(0):N0} bytes of state each");
        Steps(WarmUps);
        Generate(First / sequences * sequences);
        for (int part = 0; part < Parts; part++)
        {
            Generate(tokens / Parts / sequences * sequences);
        }

        void Steps(long count)
        {
            for (long i = 0; i < count; i++)
            {
                decoder.Step(slots, ids);
                decoder.Choose(slots, samplers, ids);
                for (int s = 0; s < sequences; s++)
                {
                    samplers[s].Accept(ids[s]);
                }
            }
        }

        void Generate(long count)
        {
            var watch = Stopwatch.StartNew();
            Steps(count / sequences);
            double milliseconds = watch.Elapsed.TotalMilliseconds * sequences / count;
            GC.Collect();
            string card = onCard ? $", card {CudaMemory.Now(0).Used / 1048576.0:F1} MiB" : "";
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{decoder.Length(0) * sequences,10:N0} tokens: {milliseconds:F4} ms a step{card}, process {ProcessMemory.Now().Resident / 1048576.0:F1} MiB, state {decoder.StateBytes(0):N0} bytes, tensors {Tensor.TotalCount}"));
        }
    }

    private static CausalLM Open(string path)
    {
        using var folder = ModelFolder.Open(path);
        return folder.Load(CPU, ScalarType.Float32);
    }
}
