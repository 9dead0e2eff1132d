namespace T2R.Bench;

/// <summary>What a bench of decoding found.</summary>
/// <param name="Agreements">Of logits with their references.</param>
/// <param name="Steps">A token of each sequence; named by how many sequences.</param>
/// <param name="Prompt">Reading a prompt.</param>
/// <param name="PromptLength">Its tokens.</param>
/// <param name="StateBytes">What a sequence is remembered by.</param>
public sealed record DecodeBenchResult(IReadOnlyDictionary<string, Agreement> Agreements, IReadOnlyList<BenchLine> Steps, BenchLine Prompt, int PromptLength, long StateBytes);
