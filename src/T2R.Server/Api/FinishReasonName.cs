using T2R.Generation.Serving;

namespace T2R.Server.Api;

/// <summary>Why a text ended, in the interface's words.</summary>
internal static class FinishReasonName
{
    public static string? Of(FinishReason? reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Cancelled => "cancelled",
        _ => null,
    };
}
