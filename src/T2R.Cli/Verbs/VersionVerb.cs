using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace T2R.Cli.Verbs;

internal static class VersionVerb
{
    public static string Program => typeof(VersionVerb).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public static Command Create()
    {
        var verb = new Verb("version", "Prints the versions of t2r, TorchSharp and .NET; `t2r doctor` has libtorch's.") { Examples = ["t2r version"], UsesLibTorch = false };
        verb.Does((_, _) =>
        {
            Screen.Print($"t2r {Program}");
            Screen.Print($"TorchSharp {typeof(torch).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}");
            Screen.Print(RuntimeInformation.FrameworkDescription);
        });
        return verb;
    }
}
