namespace T2R.Recipes;

/// <summary>What is generated at the end, so that a person can see what the figures mean.</summary>
public sealed record SampleSection
{
    /// <summary>Beginnings to continue.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>Tokens of each continuation.</summary>
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>0 is greedy.</summary>
    public double Temperature { get; init; }

    /// <summary>Of the sampler.</summary>
    public long Seed { get; init; }

    internal static SampleSection Read(YamlSection yaml)
    {
        var defaults = new SampleSection();
        var section = new SampleSection
        {
            Prompts = yaml.Texts("prompts"),
            MaxNewTokens = yaml.Count("max_new_tokens", defaults.MaxNewTokens),
            Temperature = yaml.Number("temperature", defaults.Temperature),
            Seed = yaml.Whole("seed", defaults.Seed),
        };
        yaml.RefuseTheRest();
        return section;
    }
}
