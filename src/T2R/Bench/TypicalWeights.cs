using T2R.Models;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>
/// Random weights as large as those of trained models: each product keeps the size of what it reads, norms differ from 1, gates are open and shut. Where gradients are
/// compared these matter: of weights as small as a new model's, a bf16's rounding would show in nothing.
/// </summary>
internal static class TypicalWeights
{
    /// <summary>Draws them; every matrix is of numbers that bf16 has, whatever its type.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="device">Where they are to lie.</param>
    /// <param name="dtype">Of the matrices; norms are fp32.</param>
    public static WeightSet Draw(ModelConfig config, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);
        return new WeightSet(config, spec =>
        {
            using var inner = NewDisposeScope();
            var drawn = empty([.. spec.Shape], ScalarType.Float32).normal_(0, spec.IsNorm ? 0.2 : Deviation(spec), generator);
            return (spec.IsNorm ? (drawn + 1).to(device) : drawn.to(ScalarType.BFloat16).to(dtype).to(device)).MoveToOuterDisposeScope();
        });
    }

    /// <summary>Draws them on the card: billions of numbers that need not be the same elsewhere. Those in few bits are drawn as codes.</summary>
    /// <param name="config">The shape, and what its blocks' matrices are held in.</param>
    /// <param name="device">Where they are to lie.</param>
    /// <param name="dtype">Of the matrices that are not in few bits.</param>
    public static WeightSet DrawThere(ModelConfig config, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        return new WeightSet(
            config,
            spec => spec.IsNorm
                ? empty([.. spec.Shape], ScalarType.Float32, device).normal_(1, 0.2)
                : empty([.. spec.Shape], dtype, device).normal_(0, Deviation(spec)),
            spec =>
            {
                using var drawn = NewDisposeScope();
                var format = config.Quantization!;
                var codes = randint(format == QuantizedFormat.EightBit ? -127 : 0, format == QuantizedFormat.EightBit ? 128 : 256, [.. format.CodeShape(spec.Shape[0], spec.Shape[1])], format.CodeDtype, device);

                // Codes that are all as likely have their range over √12 as deviation.
                var scales = full([.. QuantizedFormat.ScaleShape(spec.Shape[0], spec.Shape[1])], Deviation(spec) * Math.Sqrt(12) / (format.Largest - format.Smallest), ScalarType.BFloat16, device);
                using var rows = new QuantizedWeight(format, codes, scales);
                return rows.ToCard(device);
            });
    }

    /// <summary>Weights as a card is to hold them: in 16 bits, and few bits where a model's blocks have them.</summary>
    /// <param name="weights">In fp32 on the CPU.</param>
    /// <param name="config">The shape, and what its blocks' matrices are held in.</param>
    /// <param name="device">Where to.</param>
    /// <param name="dtype">Of the matrices that are not in few bits.</param>
    public static WeightSet Narrowed(WeightSet weights, ModelConfig config, Device device, ScalarType dtype) => new(
        config,
        spec => weights[spec.Name].to(spec.IsNorm ? ScalarType.Float32 : dtype).to(device),
        spec =>
        {
            using var quantized = Quantizer.Quantize(weights[spec.Name], config.Quantization!, spec.Name);
            return quantized.ToCard(device);
        });

    /// <summary>What these stand for, in fp32 on the CPU.</summary>
    /// <param name="weights">In fp32 on the CPU.</param>
    /// <param name="config">The shape, and what its blocks' matrices are held in.</param>
    public static WeightSet Held(WeightSet weights, ModelConfig config) => new(config with { Quantization = null }, spec =>
    {
        if (config.Quantization is null || !spec.IsProjection)
        {
            return weights[spec.Name].clone();
        }

        using var quantized = Quantizer.Quantize(weights[spec.Name], config.Quantization, spec.Name);
        return quantized.Dequantize(ScalarType.Float32);
    });

    // Gate logits of deviation 4, others of 1; what goes into the residual stream is smaller than the stream.
    private static double Deviation(WeightSpec spec)
    {
        double unit = 1 / Math.Sqrt(spec.Shape[1]);
        return spec.Name == WeightLayout.Embedding ? 1
            : spec.Name.EndsWith("f_proj.weight", StringComparison.Ordinal) ? 4 * unit
            : spec.Name.EndsWith("o_proj.weight", StringComparison.Ordinal) || spec.Name.EndsWith("down_proj.weight", StringComparison.Ordinal) ? 0.5 * unit
            : unit;
    }
}
