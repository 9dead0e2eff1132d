using T2R.Models;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Models;

/// <summary>Saves a model as a folder and opens that.</summary>
internal static class Opening
{
    public static ModelConfig Config(TinyModel model)
    {
        using var folder = new TemporaryFolder();
        model.Save(folder["m"]);
        using var opened = ModelFolder.Open(folder["m"]);
        return opened.Config;
    }

    public static IReadOnlyList<string> Warnings(TinyModel model)
    {
        using var folder = new TemporaryFolder();
        model.Save(folder["m"]);
        using var opened = ModelFolder.Open(folder["m"]);
        return opened.Warnings;
    }

    /// <summary>The problems that opening reports; each names a file of the folder.</summary>
    public static IReadOnlyList<string> Problems(TinyModel model)
    {
        using var folder = new TemporaryFolder();
        model.Save(folder["m"]);
        var problems = Assert.Throws<UserErrorException>(() => ModelFolder.Open(folder["m"])).Problems;
        Assert.All(problems, p => Assert.StartsWith(folder["m"], p));
        return problems;
    }

    /// <summary>Fails unless there is one problem and it holds all the words.</summary>
    public static void IsRefused(TinyModel model, params string[] words)
    {
        string problem = Assert.Single(Problems(model));
        Assert.All(words, word => Assert.Contains(word, problem));
    }
}
