using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using T2R.Generation;

namespace T2R.Benchmarks;

/// <summary>A token of 32 000 chosen: from logits as a trained model gives them (some thousand within reach, a few likely), and from logits that are nearly equal.</summary>
[Config(typeof(Calls))]
public class SamplerBenchmark
{
    private readonly float[] _logits = new float[32000];
    private Sampler _whole = null!, _greedy = null!, _topK = null!, _topP = null!, _minP = null!;

    /// <summary>The logits' standard deviation.</summary>
    [Params(3, 0.1)]
    public double Spread { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        for (int i = 0; i < _logits.Length; i++)
        {
            _logits[i] = (float)(Spread * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        _whole = Of(new SamplingOptions());
        _greedy = Of(new SamplingOptions { Temperature = 0 });
        _topK = Of(new SamplingOptions { TopK = 40 });
        _topP = Of(new SamplingOptions { TopP = 0.9 });
        _minP = Of(new SamplingOptions { MinP = 0.05 });
    }

    [Benchmark(Baseline = true)]
    public int Whole() => Next(_whole);

    [Benchmark]
    public int Greedy() => Next(_greedy);

    [Benchmark]
    public int TopK() => Next(_topK);

    [Benchmark]
    public int TopP() => Next(_topP);

    [Benchmark]
    public int MinP() => Next(_minP);

    private Sampler Of(SamplingOptions options) => new(options, _logits.Length);

    private int Next(Sampler sampler)
    {
        int id = sampler.Next(_logits);
        sampler.Accept(id);
        return id;
    }

    private sealed class Calls : ManualConfig
    {
        public Calls()
        {
            AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance).WithIterationCount(15));
            AddColumn(StatisticColumn.Median, StatisticColumn.Min);
        }
    }
}
