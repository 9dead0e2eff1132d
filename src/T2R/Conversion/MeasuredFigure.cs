namespace T2R.Conversion;

/// <summary>One measured figure for a model card.</summary>
/// <param name="Name">What was measured, and on what.</param>
/// <param name="Value">The figure with its unit.</param>
public sealed record MeasuredFigure(string Name, string Value);
