using T2R.Models;
using T2R.Models.Recurrent;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>What a conversion is going to do, checked and complete; nothing is written yet. Made by <see cref="Converter.Plan"/>.</summary>
public sealed class ConversionPlan
{
    internal ConversionPlan(ModelFolder source, ConversionOptions options, IInitialization initialization, ModelConfig target, Ledger ledger, IReadOnlyDictionary<string, ScalarType> dtypes) =>
        (Source, Options, Initialization, Target, Ledger, Dtypes) = (source, options, initialization, target, ledger, dtypes);

    /// <summary>The transformer; must stay open until the conversion has run.</summary>
    public ModelFolder Source { get; }

    /// <summary>What the user chose.</summary>
    public ConversionOptions Options { get; }

    /// <summary>How new tensors start.</summary>
    public IInitialization Initialization { get; }

    /// <summary>The recurrent (or hybrid) model's shape.</summary>
    public ModelConfig Target { get; }

    /// <summary>What becomes of every tensor.</summary>
    public Ledger Ledger { get; }

    /// <summary>What each weight of the target is stored in, by T2R's name.</summary>
    public IReadOnlyDictionary<string, ScalarType> Dtypes { get; }

    /// <summary>What the user should know before: nothing is wrong, but something may surprise.</summary>
    public IReadOnlyList<string> Warnings =>
        [.. Source.Warnings, .. GatedSlotFormat.OnlyHere(Target) is { } only ? [$"{Source.Path}: {only}."] : Array.Empty<string>()];

    /// <summary>Numbers in the source.</summary>
    public long SourceParameters => WeightLayout.Of(Source.Config).Sum(s => s.Count);

    /// <summary>Numbers in the target.</summary>
    public long TargetParameters => WeightLayout.Of(Target).Sum(s => s.Count);

    /// <summary>Bytes of weights to be written.</summary>
    public long TargetBytes => WeightLayout.Of(Target).Sum(s => s.Count * DtypeName.Bytes(Dtypes[s.Name]));
}
