using T2R.Mixers;
using T2R.Models;

namespace T2R.Bench;

/// <summary>A block with gated slot attention, and the tokens that pass it.</summary>
/// <param name="Batch">Sequences, B.</param>
/// <param name="Length">Tokens of each, T.</param>
/// <param name="Hidden">Width of the residual stream, D.</param>
/// <param name="Intermediate">Width inside the MLP, I.</param>
/// <param name="Heads">Query heads, H.</param>
/// <param name="KeyValueHeads">Key-value heads, Hkv.</param>
/// <param name="HeadDim">K = V.</param>
/// <param name="Slots">M.</param>
public sealed record BlockShape(int Batch, int Length, int Hidden, int Intermediate, int Heads, int KeyValueHeads, int HeadDim, int Slots)
{
    private const int Bytes = 2;

    private OperatorShape Operator => new(Batch, Length, Heads, KeyValueHeads, HeadDim, Slots);

    private double Tokens => (double)Batch * Length;

    private double Weights => WeightLayout.OfBlock(Config, 0).Where(w => !w.IsNorm).Sum(w => (double)w.Count);

    private double Stream => Tokens * Hidden * Bytes;

    /// <summary>Operations of a forward: products with weights, and the operator's.</summary>
    public double ForwardOperations => (2 * Tokens * Weights) + Operator.ForwardOperations;

    /// <summary>Operations of a backward: a gradient for each factor of each product, and the operator's.</summary>
    public double BackwardOperations => (4 * Tokens * Weights) + Operator.BackwardOperations;

    /// <summary>Bytes that a forward must move: weights and input in, output out, in bf16.</summary>
    public double ForwardBytes => (Weights * Bytes) + (2 * Stream);

    /// <summary>Bytes that a backward must move: weights in and their gradients out, the input and both residual gradients.</summary>
    public double BackwardBytes => (2 * Weights * Bytes) + (3 * Stream);

    /// <summary>The least model that has the block.</summary>
    internal ModelConfig Config => new()
    {
        VocabularySize = 1,
        HiddenSize = Hidden,
        IntermediateSize = Intermediate,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = true,
        MaxPositionEmbeddings = Length,
        Mixers = [new GatedSlotAttentionConfig(Heads, KeyValueHeads, HeadDim, Slots)],
    };
}
