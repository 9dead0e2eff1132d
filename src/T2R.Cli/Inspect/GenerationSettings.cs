using System.Text.Json;
using T2R.Checkpoints;
using T2R.Models;

namespace T2R.Cli.Inspect;

/// <summary>What a folder says about generating: its generation_config.json, and the ids that end a text. T2R takes sampling from whoever asks for a text.</summary>
internal sealed record GenerationSettings
{
    private const string FileName = "generation_config.json";

    /// <summary>Its keys and values, as JSON, without those that only tell where it came from; null where there is no such file.</summary>
    public required IReadOnlyDictionary<string, string>? File { get; init; }

    /// <summary>The id that T2R puts before a prompt; null for none.</summary>
    public required int? PromptsBeginWith { get; init; }

    /// <summary>The ids at which T2R ends a text.</summary>
    public required IReadOnlyList<int> EndsAt { get; init; }

    /// <summary>Where the folder contradicts itself about them.</summary>
    public required IReadOnlyList<string> Contradictions { get; init; }

    /// <summary>Reads them.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="boundaries">The ids that begin and end a text.</param>
    /// <exception cref="UserErrorException">A file is not a JSON object.</exception>
    public static GenerationSettings Of(string folder, BoundaryIds boundaries)
    {
        string path = Path.Combine(folder, FileName);
        var file = Path.Exists(path) ? ReadObject(path) : null;
        return new GenerationSettings
        {
            File = file?.Where(p => p.Key is not ("transformers_version" or "_from_model_config")).ToDictionary(p => p.Key, p => p.Value.GetRawText()),
            PromptsBeginWith = boundaries.PromptBegin,
            EndsAt = boundaries.Ends,
            Contradictions = boundaries.Warnings,
        };
    }

    /// <summary>In words.</summary>
    public override string ToString()
    {
        string begins = PromptsBeginWith is { } id ? $"prompts begin with {id}" : "nothing is put before a prompt";
        string ends = EndsAt.Count > 0 ? $"ends at {string.Join(", ", EndsAt)}" : "ends where the number of new tokens does";
        string ids = string.Join('\n', (string[])[$"{ends}; {begins}", .. Contradictions]);
        return File is null ? $"{ids}\nno {FileName}" : $"{ids}\n{FileName}: {string.Join(", ", File.Select(p => $"{p.Key} {p.Value}"))}; T2R takes sampling from the command line or the request";
    }

    private static Dictionary<string, JsonElement> ReadObject(string path)
    {
        JsonElement json = InputFile.ReadJson(path);
        return json.ValueKind == JsonValueKind.Object
            ? json.EnumerateObject().ToDictionary(p => p.Name, p => p.Value)
            : throw new UserErrorException($"{path}: not a JSON object, but {json.ValueKind}; mend the file or fetch it again.");
    }
}
