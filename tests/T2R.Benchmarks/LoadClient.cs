using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;

namespace T2R.Benchmarks;

/// <summary>
/// Many clients of a running <c>t2r serve</c> at once, each streaming one text after another, some leaving in the middle: how many requests and tokens, which errors, what is
/// left in the slots, and whether the server's memory stays where it is. A client that is told to try again does, after as long as it was told.
/// </summary>
internal static class LoadClient
{
    private const int NewTokens = 64;

    // One in so many requests is left in the middle.
    private const int LeavesEvery = 10;

    private static readonly string Body = $$"""{"prompt": "# System.Collections.", "max_tokens": {{NewTokens}}, "temperature": 0.8, "stream": true}""";

    public static int Run(string url, int clients, int seconds) => RunAsync(new Uri(url), clients, seconds).GetAwaiter().GetResult();

    private static async Task<int> RunAsync(Uri url, int clients, int seconds)
    {
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = clients + 1 }) { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
        using var time = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var counts = new ConcurrentDictionary<string, long>();
        double before = (await MetricsAsync(http))["tokens"];
        var began = Stopwatch.StartNew();
        Task[] running = [.. Enumerable.Range(0, clients).Select(i => ClientAsync(http, new Random(i), counts, time.Token))];
        while (!time.IsCancellationRequested)
        {
            var metrics = await MetricsAsync(http);
            Console.WriteLine($"{began.Elapsed.TotalSeconds,5:F0} s  {metrics["resident"] / 1e6,7:F1} MB resident  {metrics["active"],3} active  {metrics["waiting"],3} waiting  {metrics["tokens"],9} tokens");
            await Task.WhenAny(Task.Delay(Math.Max(1000, seconds * 1000 / 12)), Task.Delay(Timeout.Infinite, time.Token));
        }

        await Task.WhenAll(running);
        double took = began.Elapsed.TotalSeconds;
        await Task.Delay(1000);
        var end = await MetricsAsync(http);
        foreach (var (what, count) in counts.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            Console.WriteLine($"{what,-28} {count,9}");
        }

        Console.WriteLine($"{(end["tokens"] - before) / took:F0} tokens/s to {clients} clients in {took:F0} s; at the end {end["active"]} active, {end["waiting"]} waiting, {end["resident"] / 1e6:F1} MB resident");
        return counts.Keys.Any(k => k.StartsWith("error", StringComparison.Ordinal)) || end["active"] + end["waiting"] > 0 ? 1 : 0;
    }

    private static async Task ClientAsync(HttpClient http, Random random, ConcurrentDictionary<string, long> counts, CancellationToken time)
    {
        while (!time.IsCancellationRequested)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent(Body, Encoding.UTF8, "application/json") };
                using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);
                if (response.StatusCode == HttpStatusCode.TooManyRequests)
                {
                    Count("told to try again (429)");
                    await Task.Delay(response.Headers.RetryAfter?.Delta ?? throw new InvalidDataException("429 without Retry-After"), CancellationToken.None);
                    continue;
                }

                response.EnsureSuccessStatusCode();
                Count(await ReadAsync(response, random.Next(LeavesEvery) == 0 ? random.Next(1, NewTokens) : int.MaxValue) ? "requests done" : "requests left in the middle");
            }
            catch (Exception e)
            {
                Count($"error {e.GetType().Name} {(e as HttpRequestException)?.StatusCode}");
            }
        }

        void Count(string what) => counts.AddOrUpdate(what, 1, (_, n) => n + 1);
    }

    // Returns whether the stream ended as it should.
    private static async Task<bool> ReadAsync(HttpResponseMessage response, int leaveAfter)
    {
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        int parts = 0;
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.Contains("\"error\"", StringComparison.Ordinal))
            {
                throw new InvalidDataException(line);
            }

            if (line == "data: [DONE]")
            {
                return true;
            }

            if (line.StartsWith("data: ", StringComparison.Ordinal) && ++parts >= leaveAfter)
            {
                return false;
            }
        }

        throw new EndOfStreamException("the stream ended without [DONE]");
    }

    private static async Task<Dictionary<string, double>> MetricsAsync(HttpClient http)
    {
        string[] lines = (await http.GetStringAsync("/metrics")).Split('\n');
        return new()
        {
            ["resident"] = Value("process_working_set_bytes"),
            ["active"] = Value("t2r_active_sequences"),
            ["waiting"] = Value("t2r_waiting_requests"),
            ["tokens"] = Value("t2r_generated_tokens_total"),
        };

        double Value(string name) => double.Parse(lines.Single(l => l.StartsWith(name + " ", StringComparison.Ordinal))[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }
}
