using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>What an export adds to the weights.</summary>
public sealed record ExportOptions
{
    /// <summary>dtype of every tensor written, norms included, as the peer does it.</summary>
    public ScalarType Dtype { get; init; } = ScalarType.Float32;

    /// <summary>What the blocks' matrices are stored in instead; null for <see cref="Dtype"/>.</summary>
    public QuantizedFormat? Quantization { get; init; }

    /// <summary>The folder training started from: its tokenizer, generation_config.json and conversion.json go along; null for none.</summary>
    public string? Origin { get; init; }

    /// <summary>The resolved recipe, for the model card.</summary>
    public string? Recipe { get; init; }

    /// <summary>How much of the recipe's training is done, for the model card; null when unknown.</summary>
    public TrainedSteps? Trained { get; init; }

    /// <summary>What was measured, for the model card.</summary>
    public IReadOnlyList<MeasuredFigure> Figures { get; init; } = [];

    /// <summary>Whether a model's folder that is there already is replaced.</summary>
    public bool Replace { get; init; }
}
