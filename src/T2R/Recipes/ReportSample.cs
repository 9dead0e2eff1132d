namespace T2R.Recipes;

/// <summary>A continuation that a model wrote.</summary>
/// <param name="Prompt">What it was given.</param>
/// <param name="Text">What it added.</param>
public sealed record ReportSample(string Prompt, string Text);
