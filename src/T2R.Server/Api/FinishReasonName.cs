using T2R.Generation.Serving;

namespace T2R.Server.Api;

/// <summary>Why a text ended, in the interface's words; one that was cancelled is answered with an error.</summary>
internal static class FinishReasonName
{
    public static string? Of(FinishReason? reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        _ => null,
    };
}
