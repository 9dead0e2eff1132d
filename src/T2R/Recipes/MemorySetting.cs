namespace T2R.Recipes;

/// <summary>A change to a recipe that makes it need less memory.</summary>
/// <param name="Overrides">As on the command line, with spaces between several.</param>
/// <param name="Effect">What it does, in words.</param>
/// <param name="KeepsRun">Whether a run that has begun may go on with it; else it needs a folder of its own.</param>
public sealed record MemorySetting(string Overrides, string Effect, bool KeepsRun);
