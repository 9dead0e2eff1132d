using System.Text;
using T2R.Mixers;
using T2R.Models;
using T2R.Models.Mistral;
using T2R.Models.Recurrent;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>The README.md of a model's folder: what the model is, how it came to be, what was measured, how to run it. Markdown under a YAML head, as model hubs read it.</summary>
public sealed record ModelCard
{
    /// <summary>Its name in the folder.</summary>
    public const string FileName = "README.md";

    /// <summary>The model's name.</summary>
    public required string Name { get; init; }

    /// <summary>The model's shape.</summary>
    public required ModelConfig Config { get; init; }

    /// <summary>What the weights are stored in.</summary>
    public required ScalarType Dtype { get; init; }

    /// <summary>How it was converted; null when it was not.</summary>
    public ConversionRecord? Conversion { get; init; }

    /// <summary>The recipe it was trained by; null when it was not.</summary>
    public string? Recipe { get; init; }

    /// <summary>How much of the recipe's training is done; null when unknown.</summary>
    public TrainedSteps? Trained { get; init; }

    /// <summary>What was measured.</summary>
    public IReadOnlyList<MeasuredFigure> Figures { get; init; } = [];

    private IReadOnlyList<GatedSlotAttentionConfig> Recurrent => [.. Config.Mixers.OfType<GatedSlotAttentionConfig>()];

    /// <summary>The text.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder();
        Head(text);
        text.Append($"\n# {Name}\n\n{WhatItIs()}\n");
        Shape(text);
        if (Conversion is not null)
        {
            HowConverted(text, Conversion);
        }

        HowTrained(text);
        Measured(text);
        HowToRun(text);
        return text.ToString();
    }

    private static string Count(long number) => number.ToString("N0");

    private void Head(StringBuilder text)
    {
        text.Append("---\npipeline_tag: text-generation\nlibrary_name: transformers\n");
        if (Conversion is not null)
        {
            text.Append($"base_model: \"{Conversion.Source.Replace("\"", "", StringComparison.Ordinal)}\"\n");
        }

        text.Append("tags:\n- t2r\n");
        text.Append(Recurrent.Count > 0 ? "- recurrent\n- linear-attention\n- gated-slot-attention\n" : "- mistral\n");
        text.Append("---\n");
    }

    private string WhatItIs()
    {
        string origin = Conversion is null ? "trained" : $"converted from the transformer {Conversion.Source}";
        return Recurrent.Count == 0
            ? $"A transformer language model, {origin} with T2R."
            : Config.IsRecurrent
                ? $"A recurrent language model, {origin} with T2R. Gated Slot Attention (Zhang et al., 2024) stands where softmax attention stood, so that its memory does not grow with the text."
                : $"A hybrid language model, {origin} with T2R. {Recurrent.Count} of its {Config.Layers} layers are Gated Slot Attention (Zhang et al., 2024), whose memory does not grow with the text; the others keep softmax attention.";
    }

    private void Shape(StringBuilder text)
    {
        var mixer = Config.Mixers[0];
        int bytes = DtypeName.Bytes(Dtype);
        text.Append("\n| | |\n|---|---|\n");
        Row("parameters", Count(WeightLayout.Of(Config).Sum(s => s.Count)));
        Row("layers", $"{Config.Layers}, hidden size {Config.HiddenSize}, {mixer.Heads} heads, {mixer.KeyValueHeads} kv heads");
        if (Recurrent is [var slots, ..])
        {
            Row("slots", $"{slots.Slots} a kv head, gate normalizer {slots.GateLogitNormalizer}");
        }

        Row("vocabulary", Count(Config.VocabularySize));
        Row("dtype", Config.Quantization is { } quantization
            ? $"{quantization} with a bfloat16 scale for every {QuantizedFormat.GroupLength} weights in the blocks' matrices, {DtypeName.Of(Dtype)} in embedding, head and norms"
            : DtypeName.Of(Dtype));
        Row("state of one sequence", $"{Count(StateSize.Bytes(Config, 1000, bytes))} bytes after 1,000 tokens, {Count(StateSize.Bytes(Config, 16000, bytes))} after 16,000");
        if (Recurrent.Count > 0)
        {
            var transformer = Config with { Mixers = [.. Config.Mixers.Select(m => new SoftmaxAttentionConfig(m.Heads, m.KeyValueHeads, m.HeadDim, 10000, null))] };
            Row("KV cache it replaces", $"{Count(StateSize.Bytes(transformer, 1000, bytes))} bytes after 1,000 tokens, {Count(StateSize.Bytes(transformer, 16000, bytes))} after 16,000, without a window");
        }

        void Row(string name, string value) => text.Append($"| {name} | {value} |\n");
    }

    private static void HowConverted(StringBuilder text, ConversionRecord conversion)
    {
        text.Append($"\n## Conversion\n\nInitialization `{conversion.Initialization}`: {conversion.InitializationSummary}. Seed {conversion.Seed}, T2R {conversion.Version}.");
        text.Append(conversion.SoftmaxLayers.Length > 0 ? $" Layers that keep softmax attention: {string.Join(", ", conversion.SoftmaxLayers)}.\n" : "\n");
        text.Append("\n| tensors | | parameters | how |\n|---:|---|---:|---|\n");
        foreach (var total in LedgerTotal.Of(conversion.Ledger))
        {
            text.Append($"| {total.Tensors} | {total.Action.ToString().ToLowerInvariant()} | {Count(total.Parameters)} | {total.Reason} |\n");
        }

        text.Append($"\n`{ConversionRecord.FileName}` has every tensor, and the fingerprint of the source's weights, which `t2r inspect` prints of a folder. The weights derive from {conversion.Source}, whose licence they stay under.\n");
    }

    private void HowTrained(StringBuilder text)
    {
        if (Recipe is not null)
        {
            string fence = new('`', Math.Max(3, LongestRunOfTicks(Recipe) + 1));
            text.Append($"\n## Training\n\n{HowMuch()}By this recipe:\n\n{fence}yaml\n{Recipe.TrimEnd()}\n{fence}\n");
        }
        else if (Conversion is not null)
        {
            text.Append("\n## Training\n\nNone since the conversion: the new layers have yet to learn, and its text is poor until they have (`t2r train`).\n");
        }
    }

    private string HowMuch() => Trained switch
    {
        null => string.Empty,
        { IsAll: true } all => $"{Count(all.Done)} steps, {Count(all.Tokens)} tokens. ",
        var part => $"**Not finished: step {Count(part.Done)} of {Count(part.Planned)}**, {Count(part.Tokens)} tokens; the model is not yet what the recipe ends with. ",
    };

    private void Measured(StringBuilder text)
    {
        if (Figures.Count > 0)
        {
            text.Append("\n## Measured\n\n| | |\n|---|---:|\n");
            foreach (var figure in Figures)
            {
                text.Append($"| {figure.Name} | {figure.Value} |\n");
            }
        }
    }

    private void HowToRun(StringBuilder text)
    {
        (string import, string architecture, string where) = Recurrent.Count > 0
            ? ("import fla  # registers the architecture\n", "GSAForCausalLM", "of flash-linear-attention")
            : (string.Empty, MistralFormat.Architecture(Config), "of transformers");
        text.Append($$"""

            ## Use

            With T2R, from the folder that holds this one:

            ```
            t2r generate {{Name}} --prompt "Once upon a time" --max-new-tokens 100
            ```

            """);
        text.Append(Config.Quantization is not null ? "Its quantised weights are stored in T2R's own way, which no other program reads.\n" : $$"""
            In Python the folder loads as `{{architecture}}` {{where}}:

            ```python
            {{import}}from transformers import AutoModelForCausalLM
            model = AutoModelForCausalLM.from_pretrained("{{Name}}")
            ```

            """);
        if (Recurrent.Count > 0 && GatedSlotFormat.OnlyHere(Config) is { } only)
        {
            text.Append($"\n**Not the same model in Python**: {only}.\n");
        }
    }

    private static int LongestRunOfTicks(string text)
    {
        int longest = 0, run = 0;
        foreach (char c in text)
        {
            run = c == '`' ? run + 1 : 0;
            longest = Math.Max(longest, run);
        }

        return longest;
    }
}
