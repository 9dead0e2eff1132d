using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using T2R.Generation;
using T2R.Generation.Serving;
using T2R.Server.Metrics;
using T2R.Server.Prompts;
using T2R.Server.Sessions;

namespace T2R.Server.Api;

/// <summary>Answers a request that generates: reads it, hands its choices to the engine, and words what comes.</summary>
/// <param name="model">What is served.</param>
/// <param name="options">What the server takes on.</param>
/// <param name="sessions">States to go on from.</param>
/// <param name="metrics">Hears of each generation.</param>
/// <param name="read">Reads a body.</param>
/// <param name="word">Words an answer.</param>
/// <param name="idPrefix">What its answers' ids begin with.</param>
internal sealed class GenerationEndpoint(
    ServedModel model,
    ServerOptions options,
    SessionStore sessions,
    ServerMetrics metrics,
    Func<JsonElement, ServedModel, ServerOptions, ApiRequest> read,
    Func<AnswerHead, IAnswer> word,
    string idPrefix)
{
    public async Task AnswerAsync(HttpContext context)
    {
        ApiRequest request = await ReadAsync(context.Request);
        model.CheckName(request.Model);
        List<ChoiceRun> choices = Start(request, context.RequestAborted);
        IAnswer answer = word(new AnswerHead($"{idPrefix}{Guid.NewGuid():N}", DateTimeOffset.UtcNow.ToUnixTimeSeconds(), model.Name, $"fp_{model.Fingerprint[..12]}"));
        try
        {
            await (request.Stream ? StreamAsync(context, request, choices, answer) : AnswerWholeAsync(context, request, choices, answer));
        }
        finally
        {
            choices.ForEach(c => c.Cancel());
            RequestRecord record = context.Features.GetRequiredFeature<RequestRecord>();
            record.PromptTokens = PromptTokens(request, choices);
            record.NewTokens = choices.Sum(c => c.NewTokens);
        }
    }

    // A prompt is read for each of its choices and counts once.
    private static int PromptTokens(ApiRequest request, List<ChoiceRun> choices) => choices.Where((_, i) => i % request.ChoicesPerPrompt == 0).Sum(c => c.PromptTokens);

    private async Task<ApiRequest> ReadAsync(HttpRequest request)
    {
        using JsonDocument body = await RequestBody.ReadAsync(request);
        try
        {
            return read(body.RootElement, model, options);
        }
        catch (InvalidOperationException)
        {
            throw ApiException.Invalid("The body has text that is not Unicode: half of a surrogate pair, or bytes that are not UTF-8.", "invalid_json");
        }
    }

    // All of a request's prompts are found right, or none of it is begun.
    private List<ChoiceRun> Start(ApiRequest request, CancellationToken gone)
    {
        var prompts = request.Prompts.Select(p => Prepare(p, request.SessionId)).ToList();
        var choices = new List<ChoiceRun>();
        bool keepsTokens = !request.Stream || request.SessionId is not null;
        try
        {
            foreach (var (prompt, ids, from) in prompts)
            {
                for (int i = 0; i < request.ChoicesPerPrompt; i++)
                {
                    SamplingOptions sampling = request.Generation.Sampling;
                    var generation = request.Generation with
                    {
                        Prompt = ids,
                        From = from,
                        KeepState = request.SessionId is not null,
                        Sampling = sampling with { Seed = unchecked(sampling.Seed + (ulong)(request.IsSeeded ? i : choices.Count)) },
                    };
                    choices.Add(new ChoiceRun(new AnswerChoice(choices.Count), prompt, ids.Count, (int)(from?.Length ?? 0), Submit(generation, gone), keepsTokens));
                }
            }

            return choices;
        }
        catch
        {
            choices.ForEach(c => c.Cancel());
            throw;
        }
    }

    private (Prompt Prompt, List<int> Ids, SequenceState? From) Prepare(Prompt prompt, string? sessionId)
    {
        Session? session = sessionId is null ? null : sessions.Find(sessionId);
        Prompt? rest = session is null ? null : prompt.Beyond(session.Text);
        Prompt read = rest ?? prompt;
        if (read.FewestIds(model.Tokenizer) is var fewest && fewest > options.MaxPromptTokens)
        {
            throw TooLong($"at least {fewest}");
        }

        List<int> ids = read.Encode(model.Tokenizer);
        if (ids.Count > options.MaxPromptTokens)
        {
            throw TooLong($"{ids.Count}");
        }

        // Draws are counted from the request's beginning: a session changes what is read, not what is generated.
        return (prompt, ids, rest is null ? null : session!.State with { Draws = 0 });
    }

    private ApiException TooLong(string tokens) => ApiException.Invalid(
        $"The prompt has {tokens} tokens; this server reads at most {options.MaxPromptTokens} a request. Shorten it, or start the server with a larger --max-prompt-tokens.",
        "context_length_exceeded");

    private RunningGeneration Submit(GenerationRequest request, CancellationToken gone)
    {
        try
        {
            return model.Engine.Submit(request, gone);
        }
        catch (UserErrorException e)
        {
            throw ApiException.Invalid([.. e.Problems.Select(p => new ApiProblem(null, p))]);
        }
    }

    private async Task AnswerWholeAsync(HttpContext context, ApiRequest request, List<ChoiceRun> choices, IAnswer answer)
    {
        await Task.WhenAll(choices.Select(c => c.RunAsync(_ => Task.CompletedTask, context.RequestAborted)));
        Usage usage = Finish(request, choices);
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.Body.WriteAsync(ApiJson.Bytes(answer.Whole([.. choices.Select(c => (c.Wording, c.Tokens, c.Result.FinishReason))], usage)), context.RequestAborted);
    }

    private async Task StreamAsync(HttpContext context, ApiRequest request, List<ChoiceRun> choices, IAnswer answer)
    {
        using var events = new EventStream(context.Response);
        await events.BeginAsync();
        try
        {
            await Task.WhenAll(choices.Select(StreamChoice));
            Usage usage = Finish(request, choices);
            if (request.IncludeUsage)
            {
                await events.SendAsync(answer.Took(usage));
            }

            await events.EndAsync();
        }
        catch (Exception e) when (!context.RequestAborted.IsCancellationRequested)
        {
            // The status has been sent; an event is all that is left to say it with.
            context.Features.GetRequiredFeature<RequestRecord>().LateFailure = e;
            await events.SendAsync(ErrorBody.Of(ErrorOf.Exception(e, options)));
        }

        async Task StreamChoice(ChoiceRun choice)
        {
            await Send(answer.Part(choice.Wording, [], null));
            await choice.RunAsync(token => Send(answer.Part(choice.Wording, [token], null)), context.RequestAborted);
            await Send(answer.Part(choice.Wording, [], choice.Result.FinishReason));
        }

        Task Send(object? part) => part is null ? Task.CompletedTask : events.SendAsync(part);
    }

    private Usage Finish(ApiRequest request, List<ChoiceRun> choices)
    {
        foreach (ChoiceRun choice in choices)
        {
            metrics.Generated(choice.Result, choice.Reused);
        }

        if (request.SessionId is { } id && choices is [{ Result.State: { } state } only])
        {
            sessions.Keep(id, new Session(only.Prompt.FollowedBy(only.NewIds, model.Tokenizer), state));
        }

        return new Usage(PromptTokens(request, choices), choices.Sum(c => c.NewTokens), request.SessionId is null ? null : new UsageDetails(choices[0].Reused));
    }
}
