namespace T2R.Ops;

/// <summary>How much operators take at once where they work through their input in pieces: more is faster, and holds more memory meanwhile.</summary>
/// <param name="Slots">Slots, of all tokens and heads, that gated slot attention takes where it has no kernels.</param>
/// <param name="WideElements">Elements of one of SwiGLU's intermediates. On a card a product of 1 024 rows takes twice the time a row that one of 8 192 takes.</param>
public sealed record Workspace(long Slots, long WideElements)
{
    /// <summary>For forwards, and for training where nothing else is asked for: some 2 GiB for slots, 32 MiB for an intermediate in bf16.</summary>
    public static Workspace Standard { get; } = new(1L << 21, 1L << 24);
}
