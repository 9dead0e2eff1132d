using T2R.Generation;
using T2R.Generation.Serving;
using Xunit;

namespace T2R.Tests.Generation.Serving;

public class FailingDecoderTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    private static GenerationRequest Request { get; } = new() { Prompt = [1, 270, 280], MaxNewTokens = 40, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 3 } };

    [Fact]
    public async Task A_step_that_fails_fails_those_in_it_and_the_engine_goes_on()
    {
        int steps = 0;
        using var gate = new ManualResetEventSlim();
        var decoder = new ToyDecoder(2, TinyTokens.Count);
        decoder.Reading = slots =>
        {
            gate.Wait();
            Throw(slots.Length == 2 && ++steps == 5);
        };
        await using var engine = new Engine(decoder, TinyTokens.Tokenizer);
        RunningGeneration[] all = [.. Enumerable.Range(0, 3).Select(_ => Submit(engine))];
        gate.Set();
        foreach (var running in all[..2])
        {
            Assert.Equal("no more", (await Assert.ThrowsAsync<IOException>(running.All)).Message);
            Assert.Equal("no more", (await Assert.ThrowsAsync<IOException>(() => running.Result)).Message);
        }

        Assert.Equal(40, (await all[2].All()).Length);
        await engine.DrainAsync(TestContext.Current.CancellationToken);
        Assert.Equal((2, 1, 0), (engine.Statistics.Failed, engine.Statistics.Finished, engine.Statistics.Active));
    }

    [Fact]
    public async Task A_prefill_that_fails_fails_its_sequence_alone()
    {
        var decoder = new ToyDecoder(2, TinyTokens.Count);
        int reads = 0;
        decoder.Reading = slots => Throw(decoder.Calls[^1].Length == 7 && ++reads == 1);
        await using var engine = new Engine(decoder, TinyTokens.Tokenizer);
        var other = Submit(engine);
        var failing = Submit(engine, Request with { Prompt = [.. Enumerable.Repeat(9, 15)] });
        await Assert.ThrowsAsync<IOException>(failing.All);
        Assert.Equal(PlainGeneration.Ids(new ToyDecoder(1, TinyTokens.Count), TinyTokens.Count, Request), (await other.All()).Ids());
        Assert.Equal(40, (await Submit(engine).All()).Length);
    }

    [Fact]
    public async Task Logits_that_are_no_numbers_fail_their_sequence_alone()
    {
        using var gate = new ManualResetEventSlim();
        await using var engine = new Engine(new ToyDecoder(3, TinyTokens.Count) { Broken = 1, Reading = _ => gate.Wait() }, TinyTokens.Tokenizer);
        RunningGeneration[] all = [.. Enumerable.Range(0, 3).Select(_ => Submit(engine))];
        gate.Set();
        var error = await Assert.ThrowsAsync<UserErrorException>(all[1].All);
        Assert.Contains("not finite", error.Message);
        int[] expected = PlainGeneration.Ids(new ToyDecoder(1, TinyTokens.Count), TinyTokens.Count, Request);
        Assert.Equal(expected, (await all[0].All()).Ids());
        Assert.Equal(expected, (await all[2].All()).Ids());
    }

    [Fact]
    public async Task A_decoder_that_cannot_even_empty_a_slot_ends_the_engine_and_all_hear_of_it()
    {
        var decoder = new ToyDecoder(1, TinyTokens.Count) { Reading = _ => Throw(true), Clearing = _ => throw new InvalidOperationException("gone for good") };
        await using var engine = new Engine(decoder, TinyTokens.Tokenizer);
        var first = Submit(engine);
        Assert.Equal("no more", (await Assert.ThrowsAsync<IOException>(first.All)).Message);
        await engine.DrainAsync(TestContext.Current.CancellationToken);
        var stopped = Assert.Throws<EngineStoppedException>(() => Submit(engine));
        Assert.Contains("gone for good", stopped.Message);
        Assert.True(decoder.IsDisposed);
    }

    [Fact]
    public async Task A_slot_that_cannot_be_emptied_at_a_texts_end_fails_the_request_and_is_not_lost()
    {
        int clears = 0;
        await using var engine = new Engine(new ToyDecoder(1, TinyTokens.Count) { Clearing = _ => Throw(++clears == 1) }, TinyTokens.Tokenizer);
        var first = Submit(engine);
        Assert.Equal("no more", (await Assert.ThrowsAsync<IOException>(() => first.Result.WaitAsync(Soon, TestContext.Current.CancellationToken))).Message);
        Assert.Equal(40, (await Submit(engine).All()).Length);
        await engine.DrainAsync(TestContext.Current.CancellationToken);
        Assert.Equal((1, 1, 0), (engine.Statistics.Failed, engine.Statistics.Finished, engine.Statistics.Active));
    }

    [Fact]
    public async Task A_slot_that_cannot_be_emptied_at_all_fails_the_request_at_its_end_and_ends_the_engine()
    {
        await using var engine = new Engine(new ToyDecoder(1, TinyTokens.Count) { Clearing = _ => Throw(true) }, TinyTokens.Tokenizer);
        var first = Submit(engine);
        Assert.Equal("no more", (await Assert.ThrowsAsync<IOException>(() => first.Result.WaitAsync(Soon, TestContext.Current.CancellationToken))).Message);
        await engine.DrainAsync(TestContext.Current.CancellationToken);
        Assert.Equal((1, 0, 0), (engine.Statistics.Failed, engine.Statistics.Finished, engine.Statistics.Active));
    }

    // A token's callbacks run last first: those of the requests that wait begin when the first of them has been failed, while the engine lets go of the others.
    [Fact]
    public async Task A_callers_token_that_is_cancelled_while_the_engine_fails_holds_nobody_up()
    {
        using var gate = new ManualResetEventSlim();
        using var source = new CancellationTokenSource();
        var decoder = new ToyDecoder(1, TinyTokens.Count)
        {
            Reading = _ =>
            {
                gate.Wait();
                Throw(true);
            },
            Clearing = _ => Throw(true),
        };
        var engine = new Engine(decoder, TinyTokens.Tokenizer, options: new EngineOptions { MaxQueue = 5000 });
        var running = Submit(engine);
        RunningGeneration[] waiting = [.. Enumerable.Range(0, 5000).Select(_ => engine.Submit(Request, source.Token))];
        using var last = source.Token.Register(() =>
        {
            gate.Set();
            SpinWait.SpinUntil(() => waiting[0].Result.IsCompleted, Soon);
        });
        var cancelling = Task.Run(source.Cancel, TestContext.Current.CancellationToken);
        await cancelling.WaitAsync(Soon, TestContext.Current.CancellationToken);
        foreach (var one in (RunningGeneration[])[running, .. waiting])
        {
            await Assert.ThrowsAsync<IOException>(() => one.Result.WaitAsync(Soon, TestContext.Current.CancellationToken));
        }

        await engine.DisposeAsync();
        Assert.Equal(5001, engine.Statistics.Failed);
    }

    private static void Throw(bool now)
    {
        if (now)
        {
            throw new IOException("no more");
        }
    }

    private static RunningGeneration Submit(Engine engine, GenerationRequest? request = null) => engine.Submit(request ?? Request, TestContext.Current.CancellationToken);
}
