namespace T2R.Data;

/// <summary>
/// Which window stands at which place of an epoch, from the seed alone. An epoch has as many places as all sources have windows; each source gets its weight's share of
/// them, at places that are shuffled anew each epoch. A source gives its windows in a shuffled order to the end, whatever the epochs, and then begins again in another
/// order: one with fewer windows than its share repeats within the epoch, one with more goes on in the next. Not for several threads.
/// </summary>
internal sealed class WindowOrder
{
    private readonly ulong _seed;
    private readonly int[] _shares;
    private readonly Pass[] _passes;
    private int[] _sourceAt = [];
    private int[] _drawAt = [];
    private int _epoch = -1;

    /// <summary>Makes an order.</summary>
    /// <param name="windows">How many windows each source has, at least 1.</param>
    /// <param name="weights">The weight of each source.</param>
    /// <param name="seed">Decides the order.</param>
    public WindowOrder(IReadOnlyList<int> windows, IReadOnlyList<double> weights, ulong seed)
    {
        _seed = seed;
        Count = windows.Sum();
        _shares = Shares(Count, weights);
        _passes = [.. windows.Select((count, source) => new Pass(count, seed + ((ulong)source * 0x9E3779B97F4A7C15)))];
    }

    /// <summary>How many places an epoch has.</summary>
    public int Count { get; }

    /// <summary>How many of them each source gets.</summary>
    public IReadOnlyList<int> PlacesOf => _shares;

    /// <summary>The window at a place: its source, and which of that source's it is.</summary>
    public (int Source, int Window) At(DataCursor cursor)
    {
        if (_shares.Length == 1)
        {
            return (0, _passes[0].At(((long)cursor.Epoch * Count) + cursor.Position));
        }

        Arrange(cursor.Epoch);
        int source = _sourceAt[cursor.Position];
        return (source, _passes[source].At(((long)cursor.Epoch * _shares[source]) + _drawAt[cursor.Position]));
    }

    // Rounded down, and what is left to those that lost most by it.
    private static int[] Shares(int places, IReadOnlyList<double> weights)
    {
        double sum = weights.Sum();
        double[] exact = [.. weights.Select(w => places * (w / sum))];
        int[] shares = [.. exact.Select(e => (int)e)];
        foreach (int source in Enumerable.Range(0, shares.Length).OrderByDescending(i => exact[i] - shares[i]).Take(places - shares.Sum()))
        {
            shares[source]++;
        }

        return shares;
    }

    private void Arrange(int epoch)
    {
        if (epoch == _epoch)
        {
            return;
        }

        _sourceAt = [.. _shares.SelectMany((share, source) => Enumerable.Repeat(source, share))];
        new SplitMix64(SplitMix64.Mix(~_seed) ^ (ulong)epoch).Shuffle(_sourceAt);
        int[] drawn = new int[_shares.Length];
        _drawAt = [.. _sourceAt.Select(source => drawn[source]++)];
        _epoch = epoch;
    }

    /// <summary>A source's windows, again and again, each time in an order of its own.</summary>
    private sealed class Pass(int count, ulong seed)
    {
        private readonly int[] _order = new int[count];
        private long _number = -1;

        public int At(long draw)
        {
            if (draw / count != _number)
            {
                _number = draw / count;
                for (int i = 0; i < count; i++)
                {
                    _order[i] = i;
                }

                new SplitMix64(SplitMix64.Mix(seed) ^ (ulong)_number).Shuffle(_order);
            }

            return _order[draw % count];
        }
    }
}
