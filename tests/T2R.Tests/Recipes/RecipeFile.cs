using T2R.Recipes;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Recipes;

/// <summary>A recipe's file in a folder of its own, loaded as the program loads it.</summary>
internal sealed class RecipeFile : IDisposable
{
    /// <summary>All that a recipe must say.</summary>
    public const string Minimal = """
        name: small
        model:
          source: teacher
        data:
          train: [text]
          held_out: 0.1
          window_length: 64
        training:
          steps: 10

        """;

    private readonly TemporaryFolder _folder = new();

    public RecipeFile(string yaml) => File.WriteAllText(Path, yaml);

    public string Folder => _folder.Path;

    public string Path => _folder["recipe.yaml"];

    public Recipe Load(params string[] overrides) => Recipe.Load(Path, overrides);

    /// <summary>What is wrong with it, the file's folder taken out of the sentences.</summary>
    public string[] Problems(params string[] overrides) =>
        [.. Assert.Throws<UserErrorException>(() => Load(overrides)).Problems.Select(p => p.Replace(Folder + "/", "", StringComparison.Ordinal))];

    public void Dispose() => _folder.Dispose();
}
