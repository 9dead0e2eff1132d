namespace T2R.Cli.Doctor;

/// <summary>How a check went.</summary>
internal enum Verdict
{
    Ok,
    Warning,
    Problem,
}
