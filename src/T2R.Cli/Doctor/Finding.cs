namespace T2R.Cli.Doctor;

/// <summary>What one check found.</summary>
/// <param name="Check">What was looked at.</param>
/// <param name="Verdict">A problem means that t2r cannot compute; a warning, that something the user may expect will not happen.</param>
/// <param name="Found">What there is.</param>
/// <param name="Remedy">What to do, unless all is well or the finding says it.</param>
internal sealed record Finding(string Check, Verdict Verdict, string Found, string? Remedy = null)
{
    public static Finding Ok(string check, string found) => new(check, Verdict.Ok, found);

    public static Finding Warning(string check, string found, string remedy) => new(check, Verdict.Warning, found, remedy);

    public static Finding Problem(string check, string found, string? remedy = null) => new(check, Verdict.Problem, found, remedy);
}
