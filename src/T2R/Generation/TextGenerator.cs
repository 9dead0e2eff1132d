namespace T2R.Generation;

/// <summary>Continues texts, token by token.</summary>
public static class TextGenerator
{
    /// <summary>Continues a text. Nothing is computed before the first token is asked for, nor beyond the last.</summary>
    /// <param name="session">Where it is read. One that has read nothing begins with the beginning-of-text id; another goes on from what it has read.</param>
    /// <param name="prompt">The text's ids; may be empty at the beginning.</param>
    /// <param name="options">How to go on.</param>
    /// <param name="cancellation">Stops before the next token.</param>
    /// <returns>The new ids as they are chosen, to the end-of-text id, which is not returned unless it is ignored. The session has read all but the last.</returns>
    /// <exception cref="UserErrorException">An option is out of range, or the model yields no numbers.</exception>
    /// <exception cref="ArgumentException">The prompt is empty and not the beginning, or has an id that is not the model's.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public static IEnumerable<int> Generate(DecodingSession session, IReadOnlyList<int> prompt, GenerationOptions options, CancellationToken cancellation = default)
    {
        var problems = new Problems();
        options.Validate(problems);
        problems.ThrowIfAny();
        return Continue(session, session.Length == 0 ? [session.Config.BosTokenId, .. prompt] : [.. prompt], options, cancellation);
    }

    private static IEnumerable<int> Continue(DecodingSession session, int[] unread, GenerationOptions options, CancellationToken cancellation)
    {
        var sampler = new Sampler(options.Sampling, Math.Min(options.VocabularySize ?? int.MaxValue, session.Config.VocabularySize));
        sampler.Observe(unread);
        for (int i = 0; i < options.MaxNewTokens; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            session.Read(unread, cancellation);
            int id = sampler.Next(session.Logits);
            if (id == session.Config.EosTokenId && !options.IgnoreEos)
            {
                yield break;
            }

            sampler.Accept(id);
            yield return id;
            unread = [id];
        }
    }
}
