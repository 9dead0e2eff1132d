namespace T2R.Bench;

/// <summary>A call of the gated slot operator.</summary>
/// <param name="Batch">Sequences, B.</param>
/// <param name="Length">Tokens of each, T.</param>
/// <param name="Heads">Query heads, H.</param>
/// <param name="KeyValueHeads">Key-value heads, Hkv.</param>
/// <param name="HeadDim">K = V.</param>
/// <param name="Slots">M.</param>
public sealed record OperatorShape(int Batch, int Length, int Heads, int KeyValueHeads, int HeadDim, int Slots)
{
    private const int Chunk = 64;

    private double Tokens => (double)Batch * Length;

    private double InputBytes => Tokens * ((2.0 * HeadDim * (Heads + (2 * KeyValueHeads))) + (8.0 * KeyValueHeads * Slots));

    private double OutputBytes => Tokens * 2 * HeadDim * Heads;

    // Of a query head's token: its products with the chunk's keys and the state, and the same for values; half of a chunk is to come yet.
    private double RowOperations => 2 * ((Chunk / 2.0 * 2 * (HeadDim + Slots)) + (2.0 * HeadDim * Slots));

    // Of a key-value head's token: what it adds to both states.
    private double ColumnOperations => 2 * 2.0 * HeadDim * Slots;

    /// <summary>Bytes that a forward must move: q, k, v in bf16, both gates in fp32, the output in bf16, each once.</summary>
    public double ForwardBytes => InputBytes + OutputBytes;

    /// <summary>Operations of a forward's products in chunks of 64.</summary>
    public double ForwardOperations => Tokens * ((Heads * RowOperations) + (KeyValueHeads * ColumnOperations));

    /// <summary>Bytes that a backward must move: inputs and the output's gradient once, a gradient for each input once.</summary>
    public double BackwardBytes => (2 * InputBytes) + OutputBytes;

    /// <summary>Operations of a backward's products: the forward's again, and twice as many for gradients.</summary>
    public double BackwardOperations => 3 * ForwardOperations;
}
