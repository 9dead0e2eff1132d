using T2R.Checkpoints;
using T2R.Models.Mistral;
using T2R.Models.Recurrent;

namespace T2R.Models;

/// <summary>The kinds of folder that T2R reads.</summary>
internal static class FolderFormats
{
    private static readonly IFolderFormat[] All = [new MistralFormat(), new GatedSlotFormat()];

    /// <summary>The format whose <c>model_type</c> a config.json names; null after a problem.</summary>
    public static IFolderFormat? Of(ConfigJson json)
    {
        string type = json.Text("model_type");
        var format = All.FirstOrDefault(f => f.ModelTypes.Contains(type));
        if (format is null && json.Has("model_type"))
        {
            string architecture = json.Texts("architectures") is [var first, ..] ? $" ({first})" : string.Empty;
            json.Refuse("model_type", $"is \"{type}\"{architecture}, an architecture T2R does not support; it supports {string.Join(", ", All.SelectMany(f => f.ModelTypes))}.");
        }

        return format;
    }
}
