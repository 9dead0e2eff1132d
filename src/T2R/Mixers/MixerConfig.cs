namespace T2R.Mixers;

/// <summary>The shape of what one block mixes tokens with.</summary>
/// <param name="Heads">Query heads, H.</param>
/// <param name="KeyValueHeads">Key and value heads, Hkv; H is a multiple of it.</param>
/// <param name="HeadDim">Width of a head, for queries, keys and values alike.</param>
public abstract record MixerConfig(int Heads, int KeyValueHeads, int HeadDim)
{
    /// <summary>Width of all query heads together: the rows of <c>q_proj</c> and the columns of <c>o_proj</c>.</summary>
    public int QuerySize => Heads * HeadDim;

    /// <summary>Width of all key (or value) heads together: the rows of <c>k_proj</c> and <c>v_proj</c>.</summary>
    public int KeyValueSize => KeyValueHeads * HeadDim;
}
