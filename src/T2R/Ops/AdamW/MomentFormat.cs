namespace T2R.Ops.AdamW;

/// <summary>How the two moments of a weight are stored.</summary>
internal enum MomentFormat
{
    /// <summary>m and v in fp32.</summary>
    Float32,

    /// <summary>m and v in bf16, rounded stochastically.</summary>
    BFloat16,

    /// <summary>m and √v in eight bits with one scale for each 256 of them, rounded stochastically.</summary>
    EightBit,
}
