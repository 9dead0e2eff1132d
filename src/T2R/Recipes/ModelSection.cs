using T2R.Conversion;

namespace T2R.Recipes;

/// <summary>Which model a recipe works on: a folder with weights, or a shape to train from random weights.</summary>
public sealed record ModelSection
{
    /// <summary>A Hugging Face folder (Mistral, Llama, GSA); null when training from random weights.</summary>
    public string? Source { get; init; }

    /// <summary>A config.json, or a name of <see cref="RandomModel.Presets"/>, whose shape gets random weights; null when there is a source.</summary>
    public string? Config { get; init; }

    /// <summary>A folder with a tokenizer, for random weights; null when there is a source, which has its own.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Seed of random weights.</summary>
    public long Seed { get; init; }

    internal static ModelSection Read(YamlSection yaml)
    {
        var section = new ModelSection
        {
            Source = yaml.Location("source"),
            Config = yaml.OptionalText("config") is { } name && RandomModel.Presets.ContainsKey(name) ? name : yaml.Location("config"),
            Tokenizer = yaml.Location("tokenizer"),
            Seed = yaml.Whole("seed", 0),
        };
        if (section.Source is null == section.Config is null)
        {
            yaml.Refuse("source", "or model.config, one of them, is needed: a folder to start from, or a config.json to start from random weights.");
        }
        else if (section is { Config: not null, Tokenizer: null })
        {
            yaml.Refuse("tokenizer", "is missing: a model from random weights has none of its own.");
        }
        else if (section is { Source: not null, Tokenizer: not null })
        {
            yaml.Refuse("tokenizer", "goes with model.config alone; a source brings its own: put tokenizer.model or tokenizer.json into the source's folder.");
        }

        yaml.RefuseTheRest();
        return section;
    }
}
