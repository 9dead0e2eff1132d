using T2R.Conversion;
using T2R.Training;
using static TorchSharp.torch;

namespace T2R.Recipes;

/// <summary>A run as one document: which model, how it is converted, on what it is trained, how it is measured and shown. Immutable.</summary>
public sealed record Recipe
{
    /// <summary>Names the run; its folder is runs/NAME unless the command says otherwise.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for, in a sentence.</summary>
    public string Description { get; init; } = string.Empty;

    /// <summary>Where the model runs.</summary>
    public RecipeDevice Device { get; init; }

    /// <summary>Type of the matrices while training; null means fp32 on the CPU, bf16 on a card.</summary>
    public ScalarType? Dtype { get; init; }

    /// <summary>The model.</summary>
    public required ModelSection Model { get; init; }

    /// <summary>How it becomes recurrent; null trains it as it is.</summary>
    public ConversionOptions? Conversion { get; init; }

    /// <summary>The text.</summary>
    public required DataSection Data { get; init; }

    /// <summary>The training.</summary>
    public required TrainingOptions Training { get; init; }

    /// <summary>The measuring.</summary>
    public EvaluationSection Evaluation { get; init; } = new();

    /// <summary>Type of the exported weights; null means the source's, or the training's without a source.</summary>
    public ScalarType? ExportDtype { get; init; }

    /// <summary>What is generated at the end.</summary>
    public SampleSection Samples { get; init; } = new();

    /// <summary>The recipe as YAML with the overrides applied: what the run keeps.</summary>
    public required string Resolved { get; init; }

    /// <summary>Reads a recipe.</summary>
    /// <param name="path">A YAML file.</param>
    /// <param name="overrides">Assignments such as <c>training.steps=500</c>, laid over the file in order.</param>
    /// <exception cref="UserErrorException">Everything that is wrong with it: unknown keys with the nearest known one, values out of range, with file and line.</exception>
    public static Recipe Load(string path, IReadOnlyList<string> overrides)
    {
        var tree = RecipeTree.Load(path);
        var source = new RecipeSource(path);
        foreach (string assignment in overrides)
        {
            RecipeTree.Apply(tree, assignment, source);
        }

        var recipe = Read(new YamlSection(source, string.Empty, tree));
        source.Problems.ThrowIfAny();
        return recipe with { Resolved = RecipeTree.Write(tree) };
    }

    internal static Recipe Read(YamlSection yaml)
    {
        var data = Required(yaml, "data", DataSection.Read) ?? new DataSection { Train = [], WindowLength = 2 };
        var recipe = new Recipe
        {
            Name = yaml.Text("name"),
            Description = yaml.Text("description", string.Empty),
            Device = yaml.Choice("device", RecipeDevice.Auto),
            Dtype = yaml.Dtype("dtype"),
            Model = Required(yaml, "model", ModelSection.Read) ?? new ModelSection(),
            Conversion = yaml.Section("conversion") is { } conversion ? ConversionSection.Read(conversion) : null,
            Data = data,
            Training = Required(yaml, "training", y => TrainingSection.Read(y, data)) ?? new TrainingOptions { Steps = 1 },
            Evaluation = yaml.Section("evaluation") is { } evaluation ? EvaluationSection.Read(evaluation) : new(),
            ExportDtype = yaml.Dtype("export_dtype"),
            Samples = yaml.Section("samples") is { } samples ? SampleSection.Read(samples) : new(),
            Resolved = string.Empty,
        };
        if (recipe.Name.AsSpan().ContainsAny('/', '\\') || recipe.Name is "." or "..")
        {
            yaml.Refuse("name", $"is '{recipe.Name}', expected a name for a folder, without slashes.");
        }

        yaml.RefuseTheRest();
        return recipe;
    }

    private static T? Required<T>(YamlSection yaml, string key, Func<YamlSection, T> read)
        where T : class
    {
        if (yaml.Section(key) is { } section)
        {
            return read(section);
        }

        if (!yaml.Has(key))
        {
            yaml.Refuse(key, "is missing; expected a mapping.");
        }

        return null;
    }
}
