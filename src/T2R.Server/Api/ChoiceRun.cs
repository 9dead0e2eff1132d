using T2R.Generation.Serving;
using T2R.Server.Prompts;

namespace T2R.Server.Api;

/// <summary>A choice that is being generated.</summary>
/// <param name="wording">How far its wording has come.</param>
/// <param name="prompt">What it continues.</param>
/// <param name="promptTokens">Ids of the prompt that are read for it.</param>
/// <param name="reused">Ids of the prompt that a session had read.</param>
/// <param name="generation">Where its tokens come from.</param>
/// <param name="keepsTokens">Whether they are wanted together at the end; else they are passed on and forgotten, however many.</param>
internal sealed class ChoiceRun(AnswerChoice wording, Prompt prompt, int promptTokens, int reused, RunningGeneration generation, bool keepsTokens)
{
    private readonly List<GenerationToken> _tokens = [];
    private GenerationResult? _result;
    private int _newTokens;

    public AnswerChoice Wording => wording;

    public Prompt Prompt => prompt;

    /// <summary>Ids of the prompt, read now or before.</summary>
    public int PromptTokens => promptTokens + reused;

    public int Reused => reused;

    /// <summary>The tokens so far, if they are kept.</summary>
    public IReadOnlyList<GenerationToken> Tokens => _tokens;

    /// <summary>Tokens generated so far.</summary>
    public int NewTokens => _result?.NewTokens ?? _newTokens;

    /// <summary>What it came to; there when <see cref="RunAsync"/> has ended.</summary>
    public GenerationResult Result => _result ?? throw new InvalidOperationException("the generation has not ended");

    /// <summary>All ids that were generated, if they are kept, those that are not of the text included.</summary>
    public IEnumerable<int> NewIds => _tokens.Where(t => !t.IsPrompt).Select(t => t.Id).Concat(Result.Unsaid);

    /// <summary>Takes the tokens as they come.</summary>
    /// <param name="take">Is given each and waited for.</param>
    /// <param name="gone">Says that the client has gone away.</param>
    /// <exception cref="OperationCanceledException">The client has gone away.</exception>
    /// <exception cref="ApiException">It was cancelled by the server.</exception>
    public async Task RunAsync(Func<GenerationToken, Task> take, CancellationToken gone)
    {
        await foreach (GenerationToken token in generation.Tokens.WithCancellation(gone))
        {
            _newTokens += token.IsPrompt ? 0 : 1;
            if (keepsTokens)
            {
                _tokens.Add(token);
            }

            await take(token);
        }

        _result = await generation.Result;
        gone.ThrowIfCancellationRequested();
        if (_result.FinishReason == FinishReason.Cancelled)
        {
            throw ApiException.Ended();
        }
    }

    /// <summary>Ends it where it is.</summary>
    public void Cancel() => generation.Cancel();
}
