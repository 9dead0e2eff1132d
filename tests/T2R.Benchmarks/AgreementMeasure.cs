using System.Globalization;
using T2R.Generation.Decoding;
using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>How far a decoder's logits, token by token, are from the chunk form's of the same text, and both from float64's: the largest difference over the largest logit.</summary>
internal static class AgreementMeasure
{
    /// <summary>Compares.</summary>
    /// <param name="path">A recurrent model's folder.</param>
    /// <param name="device">cpu or cuda.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="ids">A text.</param>
    public static void Run(string path, Device device, ScalarType dtype, int[] ids)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var model = Load(path, device, dtype);
        using var exact = Load(path, CPU, ScalarType.Float64);
        using var decoder = Decoders.Open(model, 1);
        var stepped = new List<Tensor>();
        foreach (int id in ids)
        {
            decoder.Step([0], [id]);
            stepped.Add(tensor(decoder.Logits(0).ToArray()));
        }

        var steps_TV = stack(stepped).to(ScalarType.Float64);
        Tensor chunk_TV = All(model, ids), exact_TV = All(exact, ids);
        double largest = exact_TV.abs().max().item<double>();
        double Off(Tensor a, Tensor b) => (a - b).abs().max().item<double>() / largest;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{decoder.GetType().Name}, {model.HeadWeight.dtype} on {device}, {ids.Length} tokens: steps against chunks {Off(steps_TV, chunk_TV):e2}, steps against fp64 {Off(steps_TV, exact_TV):e2}, chunks against fp64 {Off(chunk_TV, exact_TV):e2} of the largest logit, {largest:F2}"));
    }

    private static Tensor All(CausalLM model, int[] ids)
    {
        using var context = new SequenceContext(1, ids.Length, model.Device);
        return model.Forward(tensor(ids, [1, ids.Length]).to(ScalarType.Int64).to(model.Device), context)[0].to(ScalarType.Float64).cpu();
    }

    private static CausalLM Load(string path, Device device, ScalarType dtype)
    {
        using var folder = ModelFolder.Open(path);
        return folder.Load(device, Decoders.LoadIn(folder.Config, device, dtype));
    }
}
