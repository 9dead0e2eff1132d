namespace T2R.Recipes;

/// <summary>Every key that a recipe can have, for "did you mean" over all sections: found by reading a recipe that has every section.</summary>
internal static class RecipeKeys
{
    private const string EverySection = """
        {model: {}, conversion: {}, data: {}, training: {optimizer: {}, lora: {}, distillation: {}}, evaluation: {}, samples: {}}
        """;

    private static readonly Lazy<string[]> All = new(() =>
    {
        var source = new RecipeSource(string.Empty);
        Recipe.Read(new YamlSection(source, string.Empty, RecipeTree.Parse(EverySection)));
        return [.. source.Known.Order(StringComparer.Ordinal)];
    });

    /// <summary>The keys whose last part is a name.</summary>
    public static string[] Named(string name) => [.. All.Value.Where(key => LastPart(key) == name)];

    /// <summary>The keys whose last part is nearest to a name; empty when none is near.</summary>
    public static string[] Near(string name) => NearestName.Of(name, All.Value.Select(LastPart)) is { } nearest ? Named(nearest) : [];

    private static string LastPart(string key) => key[(key.LastIndexOf('.') + 1)..];
}
