using Prometheus;
using T2R.Generation.Serving;
using T2R.Server.Sessions;

namespace T2R.Server.Metrics;

/// <summary>What the server tells of itself, in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats).</summary>
internal sealed class ServerMetrics
{
    private static readonly string[] RequestLabels = ["endpoint", "status"], OutcomeLabels = ["outcome"];
    private readonly CollectorRegistry _registry = Prometheus.Metrics.NewCustomRegistry();
    private readonly Counter _requests, _reused;
    private readonly Histogram _toFirstToken, _perToken;

    public ServerMetrics(Engine engine, SessionStore sessions)
    {
        MetricFactory make = Prometheus.Metrics.WithCustomRegistry(_registry);
        _requests = make.CreateCounter("t2r_http_requests_total", "Requests answered, by endpoint and HTTP status.", RequestLabels);
        _reused = make.CreateCounter("t2r_session_tokens_reused_total", "Prompt tokens that a session had read before.");
        _toFirstToken = make.CreateHistogram(
            "t2r_time_to_first_token_seconds", "From a request to its first token.", new HistogramConfiguration { Buckets = Histogram.PowersOfTenDividedBuckets(-3, 2, 5) });
        _perToken = make.CreateHistogram(
            "t2r_time_per_token_seconds", "Between tokens, the mean of each generation.", new HistogramConfiguration { Buckets = Histogram.PowersOfTenDividedBuckets(-4, 1, 5) });
        Gauge slots = make.CreateGauge("t2r_slots", "Sequences that can run at once."), active = make.CreateGauge("t2r_active_sequences", "Sequences that run.");
        Gauge waiting = make.CreateGauge("t2r_waiting_requests", "Requests that wait for a slot.");
        Gauge stateBytes = make.CreateGauge("t2r_state_bytes", "Bytes of the running sequences' states.");
        Gauge kept = make.CreateGauge("t2r_sessions", "Sessions whose state is kept.");
        Counter prompt = make.CreateCounter("t2r_prompt_tokens_total", "Prompt tokens read."), chosen = make.CreateCounter("t2r_generated_tokens_total", "Tokens generated.");
        Counter prefills = make.CreateCounter("t2r_prefills_total", "Pieces of prompts read."), steps = make.CreateCounter("t2r_steps_total", "Steps of all ready sequences.");
        Counter busy = make.CreateCounter("t2r_decoder_busy_seconds_total", "Time in the model.");
        Counter outcomes = make.CreateCounter("t2r_generations_total", "Generations that ended, by how.", OutcomeLabels);
        DotNetStats.Register(_registry);
        _registry.AddBeforeCollectCallback(() =>
        {
            EngineStatistics now = engine.Statistics;
            slots.Set(engine.Slots);
            active.Set(now.Active);
            waiting.Set(now.Waiting);
            stateBytes.Set(now.StateBytes);
            kept.Set(sessions.Count);
            prompt.IncTo(now.PromptTokens);
            chosen.IncTo(now.NewTokens);
            prefills.IncTo(now.Prefills);
            steps.IncTo(now.Steps);
            busy.IncTo(now.Busy.TotalSeconds);
            outcomes.WithLabels("finished").IncTo(now.Finished);
            outcomes.WithLabels("cancelled").IncTo(now.Cancelled);
            outcomes.WithLabels("failed").IncTo(now.Failed);
            outcomes.WithLabels("rejected").IncTo(now.Rejected);
        });
    }

    /// <summary>A request was answered.</summary>
    public void Answered(string endpoint, int status) => _requests.WithLabels(endpoint, $"{status}").Inc();

    /// <summary>A generation ended.</summary>
    /// <param name="result">What it came to.</param>
    /// <param name="reused">Tokens of its prompt that a session had read.</param>
    public void Generated(GenerationResult result, int reused)
    {
        _reused.Inc(reused);
        if (result.NewTokens > 0)
        {
            _toFirstToken.Observe((result.Waited + result.ToFirstToken).TotalSeconds);
        }

        if (result.NewTokens > 1)
        {
            _perToken.Observe(result.AfterFirstToken.TotalSeconds / (result.NewTokens - 1));
        }
    }

    /// <summary>Writes all of it.</summary>
    public Task WriteAsync(Stream stream, CancellationToken cancellation) => _registry.CollectAndExportAsTextAsync(stream, cancellation);
}
