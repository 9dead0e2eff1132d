using System.CommandLine;
using Spectre.Console;
using T2R.Cli.Doctor;

namespace T2R.Cli.Verbs;

internal static class DoctorVerb
{
    public static Command Create()
    {
        var verb = new Verb("doctor", "Says which libtorch is used, which devices compute, what is wrong and how to mend it. Exit code 0 when t2r can work here, 1 when not.")
        {
            Examples = ["t2r doctor", "t2r doctor --json", "T2R_LIBTORCH=/opt/libtorch/lib t2r doctor"],
            UsesLibTorch = false,
        };
        var json = new Option<bool>("--json") { Description = "Print the findings as JSON." };
        verb.Options.Add(json);
        verb.Does((parsed, _) => Run(parsed.GetValue(json)));
        return verb;
    }

    private static int Run(bool asJson)
    {
        List<Finding> findings = [.. LibTorchChecks.Run()];
        bool loaded = findings.All(f => f.Verdict != Verdict.Problem);
        findings.AddRange(loaded ? DeviceChecks.Run() : []);
        findings.AddRange(SystemChecks.Run());
        bool usable = findings.All(f => f.Verdict != Verdict.Problem);
        if (asJson)
        {
            Screen.PrintJson(new { Version = VersionVerb.Program, Usable = usable, Findings = findings });
        }
        else
        {
            Show(findings, usable);
        }

        return usable ? 0 : 1;
    }

    private static void Show(List<Finding> findings, bool usable)
    {
        var table = new ScreenTable("", "check", "found");
        foreach (Finding finding in findings)
        {
            (string word, Color color) = finding.Verdict switch
            {
                Verdict.Ok => ("ok", Color.Green),
                Verdict.Warning => ("warning", Color.Yellow),
                _ => ("problem", Color.Red),
            };
            table.Row(color, word, finding.Check, finding.Remedy is null ? finding.Found : $"{finding.Found}\n→ {finding.Remedy}");
        }

        Screen.Print(table);
        Screen.Print(usable ? "t2r can work here." : "t2r cannot work here until the problems above are mended.");
    }
}
