using System.Collections.Immutable;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using T2R.Models;

namespace T2R.Conversion;

/// <summary>What <c>conversion.json</c> says: which model was converted, how, and the whole ledger.</summary>
public sealed record ConversionRecord
{
    /// <summary>Its name in the converted folder.</summary>
    public const string FileName = "conversion.json";

    private static readonly JsonSerializerOptions JsonStyle = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    private static readonly JsonSerializerOptions IndentedStyle = new(JsonStyle) { WriteIndented = true };

    /// <summary>Version of T2R that converted.</summary>
    public required string Version { get; init; }

    /// <summary>The source folder's name.</summary>
    public required string Source { get; init; }

    /// <summary>
    /// Tells the source's weights from another model's: the SHA-256, over all its tensors in the order of their names, of name, dtype, shape and three samples of at most
    /// 4 096 bytes. Null in records of early versions.
    /// </summary>
    public string? SourceFingerprint { get; init; }

    /// <summary>The source folder's format.</summary>
    public required string SourceFormat { get; init; }

    /// <summary>Numbers in the source.</summary>
    public required long SourceParameters { get; init; }

    /// <summary>Numbers in the target.</summary>
    public required long Parameters { get; init; }

    /// <summary>Name of the initialisation.</summary>
    public required string Initialization { get; init; }

    /// <summary>What the initialisation does.</summary>
    public required string InitializationSummary { get; init; }

    /// <summary>Slots a kv head.</summary>
    public required int Slots { get; init; }

    /// <summary>τ.</summary>
    public required double GateLogitNormalizer { get; init; }

    /// <summary>Seed of everything random.</summary>
    public required long Seed { get; init; }

    /// <summary>Layers that kept softmax attention.</summary>
    public required ImmutableArray<int> SoftmaxLayers { get; init; }

    /// <summary>dtype all weights were stored in; null where each kept its own.</summary>
    public required string? Dtype { get; init; }

    /// <summary>What became of every tensor.</summary>
    public required ImmutableArray<LedgerEntry> Ledger { get; init; }

    /// <summary>The record of a plan.</summary>
    public static ConversionRecord Of(ConversionPlan plan) => new()
    {
        Version = typeof(ConversionRecord).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion,
        Source = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(plan.Source.Path))),
        SourceFingerprint = plan.Source.Fingerprint(),
        SourceFormat = plan.Source.Format.Name,
        SourceParameters = plan.SourceParameters,
        Parameters = plan.TargetParameters,
        Initialization = plan.Initialization.Name,
        InitializationSummary = plan.Initialization.Summary,
        Slots = plan.Options.Slots,
        GateLogitNormalizer = plan.Options.GateLogitNormalizer,
        Seed = plan.Options.Seed,
        SoftmaxLayers = [.. plan.Options.SoftmaxLayers.Distinct().Order()],
        Dtype = plan.Options.Dtype is { } dtype ? DtypeName.Of(dtype) : null,
        Ledger = plan.Ledger.Entries,
    };

    /// <summary>The record in a converted folder; null where there is none.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="UserErrorException">The file is not such a record.</exception>
    public static ConversionRecord? Find(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<ConversionRecord>(File.ReadAllBytes(path), JsonStyle);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path}: not a record of a conversion ({e.Message}); convert again, or remove the file.", e);
        }
    }

    /// <summary>As JSON, one line a tensor.</summary>
    public string ToJson()
    {
        string head = JsonSerializer.Serialize(this with { Ledger = [] }, IndentedStyle);
        string lines = string.Join(",\n", Ledger.Select(e => "    " + JsonSerializer.Serialize(e, JsonStyle)));
        return head.Replace("\"ledger\": []", $"\"ledger\": [\n{lines}\n  ]", StringComparison.Ordinal) + "\n";
    }
}
