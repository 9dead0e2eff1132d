using System.CommandLine;

namespace T2R.Cli.Bench;

/// <summary>The options that give a gated slot layer and the tokens that pass it; Mistral-7B's layer unless given.</summary>
internal sealed class LayerOptions(BenchOptions options)
{
    private readonly Option<int> _batch = options.Number("--batch", 1, "Sequences.");
    private readonly Option<int> _length = options.Number("--length", 8192, "Tokens of a sequence.");
    private readonly Option<int> _heads = options.Number("--heads", 32, "Query heads.");
    private readonly Option<int> _keyValueHeads = options.Number("--kv-heads", 8, "Key-value heads.");
    private readonly Option<int> _headDim = options.Number("--head-dim", 128, "Numbers of a head.");
    private readonly Option<int> _slots = options.Number("--slots", 64, "Slots of a key-value head.");
    private readonly Option<int> _times = options.Number("--times", 50, "How often each is timed; the median counts.");

    /// <summary>The operator's call.</summary>
    public T2R.Bench.OperatorShape Operator(ParseResult parsed, Problems problems)
    {
        var (heads, keyValueHeads) = (parsed.GetValue(_heads), parsed.GetValue(_keyValueHeads));
        if (keyValueHeads > 0 && heads % keyValueHeads != 0)
        {
            problems.Add($"--heads is {heads}, expected a multiple of --kv-heads, which is {keyValueHeads}.");
        }

        return new(parsed.GetValue(_batch), parsed.GetValue(_length), heads, keyValueHeads, parsed.GetValue(_headDim), parsed.GetValue(_slots));
    }

    /// <summary>How often each is timed.</summary>
    public int Times(ParseResult parsed) => parsed.GetValue(_times);
}
