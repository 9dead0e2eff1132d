using T2R.Interop;

namespace T2R.Cli.Doctor;

/// <summary>Whether libtorch loads, which one, and TorchSharp's library over it.</summary>
internal static class LibTorchChecks
{
    private const string Check = "libtorch";

    public static IReadOnlyList<Finding> Run()
    {
        try
        {
            LibTorchReport report = LibTorch.Report;
            return
            [
                Finding.Ok(Check, $"{report.Version} for {(report.HasCuda ? "CUDA" : "CPU")}, {report.Folder} ({report.ChosenBy})"),
                Finding.Ok("TorchSharp", report.Patched
                    ? $"{report.LibTorchSharp}, a copy that goes without the C++ library of GCC 13, which this system lacks"
                    : report.LibTorchSharp),
            ];
        }
        catch (Exception e) when (e is UserErrorException or DllNotFoundException or IOException or InvalidDataException or InvalidOperationException)
        {
            // These messages say what to do.
            return [Finding.Problem(Check, e.Message)];
        }
    }
}
