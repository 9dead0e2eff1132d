using System.Security.Cryptography;
using T2R.Data;

namespace T2R.Recipes;

/// <summary>A recipe's text as ids, kept in the run's folder so that going on does not tokenize again.</summary>
/// <param name="Train">To learn from.</param>
/// <param name="HeldOut">To measure on.</param>
internal sealed record RunText(TokenStream Train, TokenStream HeldOut)
{
    public static RunText Prepare(RecipePlan plan, string folder, IProgress<StageProgress>? progress, CancellationToken cancellation)
    {
        var split = plan.Validation is { } validation ? new HeldOutSplit(plan.Train, validation) : HeldOutSplit.Of(plan.Train, plan.Recipe.Data.HeldOut);
        string tokenizerHash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(plan.TokenizerFolderPath, "tokenizer.model"))));
        return new RunText(Ids(split.Train, "train.ids"), Ids(split.Validation, "held-out.ids"));

        TokenStream Ids(ICorpus corpus, string name) => TokenCache.LoadOrBuild(
            Path.Combine(folder, "tokens", name), corpus, plan.Tokenizer, tokenizerHash, plan.Tokenizer.BeginningOfSentenceId!.Value, progress, cancellation: cancellation);
    }
}
