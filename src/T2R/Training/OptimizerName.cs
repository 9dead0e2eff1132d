using System.Text.Json.Serialization;

namespace T2R.Training;

/// <summary>What an AdamW keeps of each weight, and in which type. Matrices only: vectors (norms) keep fp32 moments under every name.</summary>
public enum OptimizerName
{
    /// <summary>fp32 moments, and an fp32 master of a weight in a half type: 12 bytes beside a bf16 weight.</summary>
    [JsonStringEnumMemberName("adamw")]
    AdamW,

    /// <summary>bf16 moments, no master; weight and moments are rounded stochastically: 4 bytes beside a bf16 weight.</summary>
    [JsonStringEnumMemberName("adamw_bf16")]
    AdamWBf16,

    /// <summary>8-bit moments in blocks with one scale each, no master; weight and moments are rounded stochastically: 2 bytes beside a bf16 weight.</summary>
    [JsonStringEnumMemberName("adamw_8bit")]
    AdamW8Bit,
}
