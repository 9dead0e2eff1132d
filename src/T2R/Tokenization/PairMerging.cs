using System.Text;

namespace T2R.Tokenization;

/// <summary>
/// The merges of byte-pair encoding (Sennrich, Haddow, Birch 2016, arXiv:1508.07909) with incremental counts: merging a pair visits only the words that
/// hold it, and a priority queue, corrected when an outdated entry comes up, gives the next pair.
/// </summary>
internal sealed class PairMerging
{
    private const int Rare = -1;

    private readonly PieceRules _rules;
    private readonly List<(string Text, int Length)> _symbols = [];
    private readonly List<TrainingWord> _words = [];
    private readonly Dictionary<(int Left, int Right), TrainingPair?> _pairs = [];
    private readonly PriorityQueue<TrainingPair, TrainingPair.Priority> _queue = new();
    private readonly HashSet<TrainingPair> _grown = [];

    public PairMerging(WordCounts words, TrainingAlphabet alphabet, PieceRules rules)
    {
        _rules = rules;
        var symbolOf = new Dictionary<Rune, int>();
        foreach (Rune character in alphabet.Characters)
        {
            symbolOf.Add(character, _symbols.Count);
            _symbols.Add((character.ToString(), 1));
        }

        foreach ((string word, long count) in words)
        {
            _words.Add(new TrainingWord([.. word.EnumerateRunes().Select(rune => symbolOf.GetValueOrDefault(rune, Rare))], count));
        }
    }

    /// <summary>Finds pieces.</summary>
    /// <param name="wanted">How many; fewer come when no pair is left.</param>
    /// <param name="progress">Told of every 64th piece.</param>
    /// <param name="stop">Ends the work.</param>
    /// <returns>The pieces, in the order in which they merge.</returns>
    public IReadOnlyList<string> Run(int wanted, IProgress<StageProgress>? progress, CancellationToken stop)
    {
        foreach (TrainingWord word in _words)
        {
            CountPairs(word, word.Count, _ => true);
        }

        EnqueueGrown();
        var pieces = new List<string>(wanted);
        var taken = new HashSet<string>();
        while (pieces.Count < wanted && TakeMostFrequent() is { } pair)
        {
            stop.ThrowIfCancellationRequested();

            // The same string from another pair: its piece is there already, and SentencePiece's trainer lets such a pair stand.
            if (taken.Add(pair.Text))
            {
                pieces.Add(pair.Text);
                Merge(pair);
                if (pieces.Count % 64 == 0 || pieces.Count == wanted)
                {
                    progress?.Report(new StageProgress("merge pairs", pieces.Count, wanted, "pieces"));
                }
            }
        }

        return pieces;
    }

    private TrainingPair? TakeMostFrequent()
    {
        while (_queue.TryDequeue(out TrainingPair? pair, out TrainingPair.Priority priority))
        {
            if (pair.Count == priority.Count)
            {
                return pair;
            }

            if (pair.Count > 0)
            {
                _queue.Enqueue(pair, pair.Rank);
            }
        }

        return null;
    }

    private void Merge(TrainingPair pair)
    {
        int merged = _symbols.Count;
        _symbols.Add((pair.Text, pair.Length));
        foreach (TrainingWord word in pair.Words)
        {
            if (word.Holds(pair.Left, pair.Right))
            {
                CountPairs(word, -word.Count, _ => false);
                word.Merge(pair.Left, pair.Right, merged);

                // Only pairs with the new symbol are new to this word.
                CountPairs(word, word.Count, key => key.Left == merged || key.Right == merged);
            }
        }

        EnqueueGrown();
    }

    private void CountPairs(TrainingWord word, long change, Func<(int Left, int Right), bool> isNew)
    {
        ReadOnlySpan<int> symbols = word.Symbols;
        for (int i = 1; i < symbols.Length; i++)
        {
            (int Left, int Right) key = (symbols[i - 1], symbols[i]);
            if (PairOf(key) is { } pair)
            {
                pair.Count += change;
                if (isNew(key))
                {
                    pair.Words.Add(word);
                    _grown.Add(pair);
                }
            }
        }
    }

    /// <summary>The pair of two symbols, null when it may not be a piece.</summary>
    private TrainingPair? PairOf((int Left, int Right) key)
    {
        if (key.Left == Rare || key.Right == Rare)
        {
            return null;
        }

        if (!_pairs.TryGetValue(key, out TrainingPair? pair))
        {
            string text = _symbols[key.Left].Text + _symbols[key.Right].Text;
            int length = _symbols[key.Left].Length + _symbols[key.Right].Length;
            pair = _rules.Allow(text, length) ? new TrainingPair(key.Left, key.Right, text, length) : null;
            _pairs.Add(key, pair);
        }

        return pair;
    }

    private void EnqueueGrown()
    {
        foreach (TrainingPair pair in _grown)
        {
            _queue.Enqueue(pair, pair.Rank);
        }

        _grown.Clear();
    }
}
