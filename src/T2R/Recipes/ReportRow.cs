using System.Collections.Immutable;

namespace T2R.Recipes;

/// <summary>One model of a run, measured.</summary>
/// <param name="Model">What it is, such as "teacher" or "after finetuning".</param>
/// <param name="Perplexity">On the run's held-out windows.</param>
/// <param name="RatioToTeacher">Its perplexity over the teacher's on the same windows; null without a teacher.</param>
/// <param name="StateBytesAt1000">Bytes it remembers of one sequence after 1 000 tokens.</param>
/// <param name="StateBytesAt16000">The same after 16 000.</param>
/// <param name="Samples">Continuations of the recipe's prompts.</param>
public sealed record ReportRow(
    string Model, double Perplexity, double? RatioToTeacher, long StateBytesAt1000, long StateBytesAt16000, ImmutableArray<ReportSample> Samples);
