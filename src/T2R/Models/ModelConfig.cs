using System.Collections.Immutable;
using T2R.Mixers;
using T2R.Ops.Quantized;

namespace T2R.Models;

/// <summary>The shape of a causal language model, whatever folder format it came from.</summary>
public sealed record ModelConfig
{
    /// <summary>Rows of the embedding, V.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream, D.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width inside the MLP, I.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>ε of the blocks' norms and the final norm.</summary>
    public required double NormEpsilon { get; init; }

    /// <summary>Whether the head is the embedding.</summary>
    public required bool TieWordEmbeddings { get; init; }

    /// <summary>Positions the source was made for; recurrent layers do not heed it.</summary>
    public required int MaxPositionEmbeddings { get; init; }

    /// <summary>One mixer a block, first block first.</summary>
    public required ImmutableArray<MixerConfig> Mixers { get; init; }

    /// <summary>Adapters beside its projections while it is trained; null for none. No folder format has them: they are merged when a model is written.</summary>
    public LoraConfig? Lora { get; init; }

    /// <summary>What the blocks' matrices are held in, for a model that is only run; null for plain numbers.</summary>
    public QuantizedFormat? Quantization { get; init; }

    /// <summary>Id that begins a text.</summary>
    public int BosTokenId { get; init; } = 1;

    /// <summary>Ids that end a text, one or more: chat models end an answer with another than a document.</summary>
    public ImmutableArray<int> EosTokenIds { get; init; } = [2];

    /// <summary>Blocks, L.</summary>
    public int Layers => Mixers.Length;

    /// <summary>Whether no layer's memory grows with the text.</summary>
    public bool IsRecurrent => Mixers.All(m => m is GatedSlotAttentionConfig);
}
