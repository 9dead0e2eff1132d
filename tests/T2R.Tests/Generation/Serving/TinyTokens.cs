using T2R.Generation.Serving;
using T2R.Tests.Tokenization;
using T2R.Tokenization;

namespace T2R.Tests.Generation.Serving;

/// <summary>A tokenizer of 292 pieces, and what comes of a running generation.</summary>
internal static class TinyTokens
{
    public static readonly SentencePieceTokenizer Tokenizer = TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English));

    public static int Count => Tokenizer.VocabularySize;

    public static async Task<GenerationToken[]> All(this RunningGeneration running)
    {
        var tokens = new List<GenerationToken>();
        await foreach (var token in running.Tokens)
        {
            tokens.Add(token);
        }

        return [.. tokens];
    }

    public static int[] Ids(this IEnumerable<GenerationToken> tokens) => [.. tokens.Select(t => t.Id)];

    public static string Text(this IEnumerable<GenerationToken> tokens) => string.Concat(tokens.Select(t => t.Text));
}
