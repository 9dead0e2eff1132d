namespace T2R.Generation.Decoding;

/// <summary>What one sequence of a recurrent model is remembered by: a value of constant size, however long the sequence.</summary>
/// <param name="Length">Tokens read.</param>
/// <param name="Keys">A layer's key slots, fp32 <c>[Hkv, K, M]</c>, one array a layer.</param>
/// <param name="Values">A layer's value slots, fp32 <c>[Hkv, M, V]</c>, one array a layer.</param>
public sealed record SlotState(long Length, IReadOnlyList<float[]> Keys, IReadOnlyList<float[]> Values);
