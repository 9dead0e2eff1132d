using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>
/// Writes trained weights as a folder that others can load: <c>GSAForCausalLM</c> if a layer is recurrent, else <c>MistralForCausalLM</c>. Written by the same hand
/// as a conversion.
/// </summary>
public static class Exporter
{
    private const string Stage = "export";

    /// <summary>Exports a model in memory, adapters merged.</summary>
    /// <inheritdoc cref="Export(ModelConfig, Func{WeightSpec, Tensor}, string, ExportOptions, IProgress{StageProgress}?, CancellationToken)"/>
    public static void Export(
        CausalLM model, string outFolder, ExportOptions options, IProgress<StageProgress>? progress = null, CancellationToken cancellation = default) =>
        Export(model.Config with { Lora = null }, model.Merged, outFolder, options, progress, cancellation);

    /// <summary>Exports weights from wherever they are.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="weight">Yields each weight, on any device and in any dtype; it stays the owner's, or belongs to the current dispose scope.</param>
    /// <param name="outFolder">The folder to make.</param>
    /// <param name="options">What goes along.</param>
    /// <param name="progress">Told of the bytes written.</param>
    /// <param name="cancellation">Heeded between tensors; nothing is left then.</param>
    /// <exception cref="UserErrorException">The folder exists and must not, or cannot, be replaced; or the model cannot be in few bits.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Export(
        ModelConfig config,
        Func<WeightSpec, Tensor> weight,
        string outFolder,
        ExportOptions options,
        IProgress<StageProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        using var gradients = no_grad();
        config = config with { Quantization = options.Quantization };
        if (config.Quantization is { } quantization && QuantizedModel.WhyNot(config) is { } reason)
        {
            throw new UserErrorException($"{outFolder}: the model cannot be stored in {quantization}: {reason}.");
        }

        var conversion = options.Origin is { } origin ? ConversionRecord.Find(origin) : null;
        using var writer = new FolderWriter(outFolder, options.Replace, config, _ => options.Dtype, options.Origin, flush: true);
        foreach (var spec in WeightLayout.Of(config))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            writer.Write(spec, weight(spec));
            progress?.Report(new StageProgress(Stage, writer.WrittenBytes, writer.TotalBytes, "bytes"));
        }

        if (conversion is not null)
        {
            writer.WriteText(ConversionRecord.FileName, conversion.ToJson());
        }

        writer.WriteText(ModelCard.FileName, new ModelCard
        {
            Name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(outFolder))),
            Config = config,
            Dtype = options.Dtype,
            Conversion = conversion,
            Recipe = options.Recipe,
            Trained = options.Trained,
            Figures = options.Figures,
        }.ToMarkdown());
        cancellation.ThrowIfCancellationRequested();
        writer.Commit();
    }
}
