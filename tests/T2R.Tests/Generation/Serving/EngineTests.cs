using T2R.Generation;
using T2R.Generation.Serving;
using Xunit;

namespace T2R.Tests.Generation.Serving;

public class EngineTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    private static GenerationRequest Request { get; } = new() { Prompt = [1, 270, 280], MaxNewTokens = 12, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 3 } };

    [Fact]
    public async Task A_request_yields_tokens_text_and_what_it_came_to()
    {
        await using var engine = Open(out _);
        int[] prompt = [1, .. TinyTokens.Tokenizer.EncodeToIds("in the")];
        var running = Submit(engine, Request with { Prompt = prompt });
        var tokens = await running.All();
        Assert.Equal(PlainGeneration.Ids(Plain, TinyTokens.Count, Request with { Prompt = prompt }), tokens.Ids());
        Assert.Equal(TinyTokens.Tokenizer.Decode([.. prompt, .. tokens.Ids()]), TinyTokens.Tokenizer.Decode(prompt) + tokens.Text());
        Assert.All(tokens, t => Assert.Equal((false, null, null), (t.IsPrompt, t.LogProbability, t.Likeliest)));
        var result = await running.Result;
        Assert.Equal((FinishReason.Length, prompt.Length, 12, null), (result.FinishReason, result.PromptTokens, result.NewTokens, result.State));
        Assert.All([result.Waited, result.ToFirstToken, result.AfterFirstToken], t => Assert.InRange(t, TimeSpan.Zero, Soon));
    }

    [Fact]
    public async Task The_end_of_text_ends_it_unless_it_is_ignored()
    {
        await using var engine = Open(out _);
        var request = Request with { MaxNewTokens = 3000 };
        int[] all = (await Submit(engine, request).All()).Ids();
        Assert.Equal(3000, all.Length);
        int end = Array.IndexOf(all, engine.Config.EosTokenIds.Single());
        Assert.InRange(end, 1, 2999);
        var running = Submit(engine, request with { IgnoreEos = false });
        Assert.Equal(all[..end], (await running.All()).Ids());
        Assert.Equal((FinishReason.Stop, end), ((await running.Result).FinishReason, (await running.Result).NewTokens));
    }

    [Fact]
    public async Task Other_ids_may_end_a_text_too()
    {
        var request = Request with { MaxNewTokens = 60, IgnoreEos = false };
        await using var plain = Open(out _);
        int[] all = (await Submit(plain, request).All()).Ids();
        await using var engine = Open(out _, options: new EngineOptions { EndIds = [all[9], all[14]] });
        var running = Submit(engine, request);
        Assert.Equal(all[..Array.IndexOf(all, all[9])], (await running.All()).Ids());
        Assert.Equal(FinishReason.Stop, (await running.Result).FinishReason);
        Assert.Equal(60, (await Submit(engine, request with { IgnoreEos = true }).All()).Ids().Length);
    }

    [Fact]
    public async Task A_stop_string_ends_it_and_is_not_part_of_it()
    {
        await using var engine = Open(out _);
        var request = Request with { MaxNewTokens = 60 };
        string all = (await Submit(engine, request).All()).Text(), stop = all[20..26];
        var running = Submit(engine, request with { Stops = ["never to be found", stop] });
        Assert.Equal(all[..all.IndexOf(stop, StringComparison.Ordinal)], (await running.All()).Text());
        Assert.Equal(FinishReason.Stop, (await running.Result).FinishReason);
        Assert.InRange((await running.Result).NewTokens, 1, 59);
    }

    [Fact]
    public async Task No_new_tokens_are_none()
    {
        await using var engine = Open(out var decoder);
        var running = Submit(engine, Request with { MaxNewTokens = 0 });
        Assert.Empty(await running.All());
        Assert.Equal((FinishReason.Length, 0), ((await running.Result).FinishReason, (await running.Result).NewTokens));
        Assert.Empty(decoder.Calls);
    }

    [Fact]
    public async Task Ids_beyond_the_tokenizers_are_never_chosen()
    {
        await using var engine = new Engine(new ToyDecoder(1, TinyTokens.Count + 300), TinyTokens.Tokenizer);
        Assert.DoesNotContain((await Submit(engine, Request with { MaxNewTokens = 500 }).All()).Ids(), id => id >= TinyTokens.Count);
    }

    [Fact]
    public async Task A_long_prompt_delays_others_by_no_more_than_a_piece()
    {
        using var gate = new ManualResetEventSlim();
        var decoder = new ToyDecoder(3, TinyTokens.Count) { Reading = _ => gate.Wait() };
        await using var engine = new Engine(decoder, TinyTokens.Tokenizer);
        var running = Submit(engine, Request with { MaxNewTokens = 200 });
        var longer = Submit(engine, Request with { Prompt = [.. Enumerable.Repeat(5, 1001)], MaxNewTokens = 1 });
        var shorter = Submit(engine, Request with { Prompt = [1, 2, 3], MaxNewTokens = 1 });
        gate.Set();
        await Task.WhenAll(running.All(), longer.All(), shorter.All());

        // Between two steps of the first sequence, in slot 0, prefills take 8 ids at most.
        int since = 0, most = 0, prefilled = 0;
        foreach (var (slots, length) in decoder.Calls.SkipWhile(c => c.Length >= 0))
        {
            since = length < 0 && slots.Any(s => s == 0) ? 0 : since + Math.Max(0, length);
            prefilled += Math.Max(0, length);
            most = Math.Max(most, since);
        }

        Assert.Equal(8, most);
        Assert.Equal(1000 + 3, prefilled);
    }

    [Fact]
    public async Task Requests_wait_in_line_and_find_the_queue_full()
    {
        using var gate = new ManualResetEventSlim();
        var decoder = new ToyDecoder(1, TinyTokens.Count) { Reading = _ => gate.Wait() };
        await using var engine = new Engine(decoder, TinyTokens.Tokenizer, options: new EngineOptions { MaxQueue = 2 });
        var first = Submit(engine, Request);
        Assert.True(SpinWait.SpinUntil(() => engine.Statistics.Active == 1, Soon));
        RunningGeneration[] others = [Submit(engine, Request), Submit(engine, Request with { MaxNewTokens = 5 })];
        Assert.Contains("2 requests wait", Assert.Throws<QueueFullException>(() => Submit(engine, Request)).Message);
        Assert.Equal((1, 2, 1), (engine.Statistics.Active, engine.Statistics.Waiting, engine.Statistics.Rejected));
        gate.Set();
        Assert.Equal((12, 12, 5), ((await first.All()).Length, (await others[0].All()).Length, (await others[1].All()).Length));
        Assert.Equal(12, (await Submit(engine, Request).All()).Length);
    }

    [Fact]
    public async Task A_cancelled_request_ends_where_it_is_and_frees_its_slot()
    {
        await using var engine = Open(out var decoder, slots: 1);
        using var stop = new CancellationTokenSource();
        var endless = Request with { MaxNewTokens = int.MaxValue };
        var running = engine.Submit(endless, stop.Token);
        var waiting = engine.Submit(endless, stop.Token);
        var next = Submit(engine, Request);
        var ids = new List<int>();
        await foreach (var token in running.Tokens)
        {
            ids.Add(token.Id);
            if (ids.Count == 300)
            {
                await stop.CancelAsync();
            }
        }

        Assert.Equal(FinishReason.Cancelled, (await running.Result).FinishReason);
        Assert.Equal((FinishReason.Cancelled, 0), ((await waiting.Result).FinishReason, (await waiting.Result).NewTokens));
        Assert.Empty(await waiting.All());
        Assert.Equal(PlainGeneration.Ids(Plain, TinyTokens.Count, endless with { MaxNewTokens = ids.Count }), ids);
        Assert.Equal(12, (await next.All()).Length);
        await engine.DrainAsync(TestContext.Current.CancellationToken);
        Assert.Equal((2, 1), (engine.Statistics.Cancelled, engine.Statistics.Finished));
        Assert.Equal(0, decoder.Length(0));
    }

    [Fact]
    public async Task Leaving_the_tokens_cancels()
    {
        await using var engine = Open(out _);
        var running = Submit(engine, Request with { MaxNewTokens = int.MaxValue });
        await foreach (var token in running.Tokens)
        {
            break;
        }

        Assert.Equal(FinishReason.Cancelled, (await running.Result).FinishReason);
        await Assert.ThrowsAsync<InvalidOperationException>(running.All);
    }

    [Fact]
    public async Task A_slow_reader_pauses_its_own_sequence_alone()
    {
        await using var engine = Open(out _, slots: 2, options: new EngineOptions { ReaderBuffer = 10 });
        var slow = Submit(engine, Request with { MaxNewTokens = 200 });
        var quick = Submit(engine, Request with { MaxNewTokens = 1000 });
        Assert.Equal(1000, (await quick.All()).Length);
        Assert.True(SpinWait.SpinUntil(() => engine.Statistics.NewTokens == 1010, Soon));
        Assert.False(slow.Result.IsCompleted);
        Assert.Equal(PlainGeneration.Ids(Plain, TinyTokens.Count, Request with { MaxNewTokens = 200 }), (await slow.All()).Ids());
        Assert.Equal(FinishReason.Length, (await slow.Result).FinishReason);
    }

    [Fact]
    public async Task A_reader_that_takes_nothing_loses_its_slot()
    {
        await using var engine = Open(out _, slots: 1, options: new EngineOptions { ReaderBuffer = 10, ReaderPatience = TimeSpan.FromMilliseconds(50) });
        var gone = Submit(engine, Request with { MaxNewTokens = int.MaxValue });
        Assert.Equal(12, (await Submit(engine, Request).All()).Length);
        Assert.Equal((FinishReason.Cancelled, 10), ((await gone.Result).FinishReason, (await gone.Result).NewTokens));
        Assert.Equal(10, (await gone.All()).Length);
    }

    [Fact]
    public async Task A_request_out_of_range_is_refused_all_of_it_at_once()
    {
        await using var engine = Open(out _);
        var request = new GenerationRequest
        {
            Prompt = [1, 2, TinyTokens.Count, 4],
            Sampling = new SamplingOptions { TopP = 0, LogitBias = new Dictionary<int, float> { [TinyTokens.Count] = 1 } },
            MaxNewTokens = -1,
            Stops = [.. Enumerable.Repeat("x", 33)],
            LogProbabilities = 21,
            KeepState = true,
        };
        Assert.Equal(7, Assert.Throws<UserErrorException>(() => Submit(engine, request)).Problems.Count);
        Assert.Single(Assert.Throws<UserErrorException>(() => Submit(engine, Request with { Prompt = [] })).Problems);
        Assert.Single(Assert.Throws<UserErrorException>(() => Submit(engine, Request with { Stops = [""] })).Problems);
        Assert.Single(Assert.Throws<UserErrorException>(() => Submit(engine, Request with { Stops = [new string('x', 257)] })).Problems);
        Assert.Equal(3, Assert.Throws<UserErrorException>(() => new Engine(
            new ToyDecoder(1, 300), TinyTokens.Tokenizer, null, new EngineOptions { MaxQueue = -1, ReaderBuffer = 0, ReaderPatience = TimeSpan.Zero })).Problems.Count);
        Assert.Contains("a day", Assert.Throws<UserErrorException>(() => Open(out _, options: new EngineOptions { ReaderPatience = TimeSpan.FromDays(2) })).Message);
    }

    [Fact]
    public async Task Draining_finishes_what_is_there_and_takes_no_more()
    {
        var engine = Open(out var decoder, slots: 1);
        RunningGeneration[] all = [.. Enumerable.Range(0, 5).Select(_ => Submit(engine, Request))];
        await engine.DrainAsync(TestContext.Current.CancellationToken);
        Assert.All(all, r => Assert.Equal(FinishReason.Length, r.Result.Result.FinishReason));
        Assert.Throws<EngineStoppedException>(() => Submit(engine, Request));
        Assert.True(decoder.IsDisposed);
        await engine.DisposeAsync();
    }

    [Fact]
    public async Task A_drain_that_is_cancelled_and_a_disposal_cancel_what_is_there()
    {
        var engine = Open(out var decoder, slots: 1);
        RunningGeneration[] all = [.. Enumerable.Range(0, 3).Select(_ => Submit(engine, Request with { MaxNewTokens = int.MaxValue }))];
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await engine.DrainAsync(soon.Token);
        Assert.All(all, r => Assert.Equal(FinishReason.Cancelled, r.Result.Result.FinishReason));

        engine = Open(out decoder);
        var running = Submit(engine, Request with { MaxNewTokens = int.MaxValue });
        engine.Dispose();
        Assert.Equal(FinishReason.Cancelled, (await running.Result).FinishReason);
        Assert.True(decoder.IsDisposed);
    }

    [Fact]
    public async Task Statistics_count()
    {
        await using var engine = Open(out _, slots: 2);
        await Submit(engine, Request with { Prompt = [.. Enumerable.Repeat(7, 20)] }).All();
        await Submit(engine, Request with { Prompt = [1] }).All();

        // The last of the tokens are given out before the step that chose them is counted.
        Assert.True(SpinWait.SpinUntil(() => engine.Statistics.Finished == 2, Soon));
        var statistics = engine.Statistics;
        Assert.Equal((0, 0, 21, 24, 3, 23), (statistics.Active, statistics.Waiting, statistics.PromptTokens, statistics.NewTokens, statistics.Prefills, statistics.Steps));
        Assert.Equal((2, 0, 0, 0, 0), (statistics.Finished, statistics.Cancelled, statistics.Failed, statistics.Rejected, statistics.StateBytes));
        Assert.True(statistics.Busy > TimeSpan.Zero);
    }

    private static ToyDecoder Plain => new(1, TinyTokens.Count);

    private static Engine Open(out ToyDecoder decoder, int slots = 4, EngineOptions? options = null)
    {
        decoder = new ToyDecoder(slots, TinyTokens.Count);
        return new Engine(decoder, TinyTokens.Tokenizer, null, options);
    }

    private static RunningGeneration Submit(Engine engine, GenerationRequest request) => engine.Submit(request, TestContext.Current.CancellationToken);
}
