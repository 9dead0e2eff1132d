using System.Security.Cryptography;
using T2R.Data;
using T2R.Tokenization;
using T2R.Training;

namespace T2R.Recipes;

/// <summary>A recipe's text as ids, kept in the run's folder so that going on does not tokenize again.</summary>
/// <param name="Train">To learn from.</param>
/// <param name="HeldOut">To measure on.</param>
internal sealed record RunText(TokenStream Train, TokenStream HeldOut)
{
    /// <summary>Reads the ids that the folder has, or makes them.</summary>
    /// <exception cref="UserErrorException">The folder's run began on another text, whose ids are as they were; or a source file is damaged.</exception>
    public static RunText Prepare(RecipePlan plan, string folder, IProgress<StageProgress>? progress, CancellationToken cancellation)
    {
        var split = plan.Validation is { } validation ? new HeldOutSplit(plan.Train, validation) : HeldOutSplit.Of(plan.Train, plan.Recipe.Data.HeldOut);
        string tokenizerHash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(TokenizerFolder.FileIn(plan.TokenizerFolderPath))));
        var began = RunCheckpoint.NewestState(folder)?.Corpus;
        return new RunText(Ids(split.Train, "train.ids", RefuseAnother), Ids(split.Validation, "held-out.ids"));

        TokenStream Ids(ICorpus corpus, string name, Action<TokenStream>? accept = null) => TokenCache.LoadOrBuild(
            Path.Combine(folder, "tokens", name), corpus, plan.Tokenizer, tokenizerHash, plan.Tokenizer.BeginningOfSentenceId!.Value, accept, progress, cancellation: cancellation);

        void RefuseAnother(TokenStream built)
        {
            if (began is not null && OptionChanges.OfText(began, CorpusMark.Of(built), folder) is { } change)
            {
                throw new UserErrorException(change);
            }
        }
    }
}
