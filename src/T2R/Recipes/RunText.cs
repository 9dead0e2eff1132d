using System.Security.Cryptography;
using T2R.Data;
using T2R.Tokenization;
using T2R.Training;

namespace T2R.Recipes;

/// <summary>A recipe's text as ids, kept in the run's folder so that going on does not tokenize again.</summary>
/// <param name="Train">To learn from.</param>
/// <param name="HeldOut">To measure on.</param>
internal sealed record RunText(TokenMixture Train, TokenStream HeldOut) : IDisposable
{
    /// <summary>Opens the ids that the folder has, or makes them.</summary>
    /// <exception cref="UserErrorException">The folder's run began on another text, whose ids are as they were; a source file is damaged; or a text is too short, or its weight too small, for a window.</exception>
    public static RunText Prepare(RecipePlan plan, string folder, RunWatch watch, CancellationToken cancellation)
    {
        var data = plan.Recipe.Data;
        string tokenizerHash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(TokenizerFolder.FileIn(plan.TokenizerFolderPath))));
        string[] paths = [.. plan.Train.Select((_, i) => At(plan.Train.Count > 1 ? $"train-{i + 1}.ids" : "train.ids")), At("held-out.ids")];
        var opened = new List<TokenStream>();
        try
        {
            foreach (var corpus in plan.Train)
            {
                Open(plan.Validation is null ? HeldOutSplit.Of(corpus, data.HeldOut).Train : corpus, data.DamagedLimit, Warn);
            }

            if (plan.Validation is { } validation)
            {
                Open(validation, data.DamagedLimit, Warn);
            }
            else
            {
                // Meets what is damaged in all sources, which has been told of.
                Open(HeldOutSplit.Of(All(plan), data.HeldOut).Validation, data.DamagedLimit * plan.Train.Count, null);
            }

            var text = new RunText(new TokenMixture([.. data.Train.Select((source, i) => (opened[i], source.Weight))]), opened[^1]);
            if (RunCheckpoint.NewestState(folder)?.Corpus is { } began && OptionChanges.OfText(began, CorpusMark.Of(text.Train), folder) is { } change)
            {
                Array.ForEach(paths, TokenCache.Discard);
                throw new UserErrorException(change);
            }

            Array.ForEach(paths, TokenCache.Keep);
            TokenCache.RemoveOthers(paths);

            // Here and not only where they are used, which is behind the conversion and the first measures.
            _ = new PackedWindows(text.Train, data.WindowLength, data.Seed);
            _ = new PackedWindows(text.HeldOut, data.WindowLength, data.Seed);
            return text;
        }
        catch
        {
            opened.ForEach(s => s.Dispose());
            throw;
        }

        string At(string name) => Path.Combine(folder, RecipeRun.TokensName, name);

        void Warn(string sentence) => watch.Observers?.ToList().ForEach(o => o.Warned(sentence));

        void Open(ICorpus corpus, long damagedLimit, Action<string>? warn) => opened.Add(TokenCache.Open(
            paths[opened.Count], corpus, plan.Tokenizer, tokenizerHash, plan.Boundaries.Begin!.Value, new TokenizingOptions
            {
                DamagedLimit = damagedLimit,
                Warn = warn,
                Progress = watch.Progress,
                Cancellation = cancellation,
            }));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Train.Dispose();
        HeldOut.Dispose();
    }

    private static ICorpus All(RecipePlan plan) => plan.Train is [var one] ? one : CorpusReader.OpenAll([.. plan.Recipe.Data.Train.Select(s => s.Text)]);
}
