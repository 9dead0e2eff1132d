namespace T2R.Training.Optimizers;

/// <summary>In which order pieces of offloaded moments go into the few places there are: those that are needed now first, then those that are expected.</summary>
/// <param name="places">The places, all free.</param>
/// <param name="fetch">Begins to bring a piece into a place, once what was there has left.</param>
/// <typeparam name="TPlace">A place.</typeparam>
internal sealed class PieceQueue<TPlace>(IEnumerable<TPlace> places, Action<TPlace, MomentPiece> fetch)
{
    private readonly Queue<TPlace> _free = new(places);
    private readonly List<(MomentPiece Piece, TPlace Place)> _fetched = [];
    private readonly List<MomentPiece> _coming = [];

    private IEnumerable<MomentPiece> Expected => _fetched.Select(f => f.Piece).Concat(_coming);

    /// <summary>Puts weights last, unless they are expected already, and fetches what finds a place.</summary>
    /// <param name="weights">In the order they will be needed.</param>
    public void Expect(IEnumerable<Moments> weights)
    {
        var known = Expected.Select(p => p.Moments).ToHashSet();
        _coming.AddRange(weights.Where(known.Add).SelectMany(MomentPiece.Of));
        Fetch();
    }

    /// <summary>
    /// Yields each piece of some weights with the place it was fetched into, which is free again when the next is asked for; further ones are fetched meanwhile. The
    /// order is that in which they were expected.
    /// </summary>
    /// <param name="weights">The weights.</param>
    public IEnumerable<(MomentPiece Piece, TPlace Place)> Pass(IReadOnlyCollection<Moments> weights)
    {
        for (int left = PutFirst(weights); left > 0; left--)
        {
            Fetch();
            var next = _fetched[0];
            _fetched.RemoveAt(0);
            yield return next;
            _free.Enqueue(next.Place);
        }

        Fetch();
    }

    /// <summary>Expects nothing any more.</summary>
    public void Forget()
    {
        _fetched.ForEach(f => _free.Enqueue(f.Place));
        _fetched.Clear();
        _coming.Clear();
    }

    // Returns how many pieces are needed. Unless all of them are fetched, the others that are give up their places and come again later.
    private int PutFirst(IReadOnlyCollection<Moments> weights)
    {
        List<MomentPiece> expected = [.. Expected];
        var known = expected.Select(p => p.Moments).ToHashSet();
        List<MomentPiece> needed = [.. expected.Where(Needed), .. weights.Where(w => !known.Contains(w)).SelectMany(MomentPiece.Of)];
        List<(MomentPiece Piece, TPlace Place)> kept = [.. _fetched.Where(f => Needed(f.Piece))], others = [.. _fetched.Where(f => !Needed(f.Piece))];
        _fetched.Clear();
        _fetched.AddRange(kept);
        if (kept.Count == needed.Count)
        {
            _fetched.AddRange(others);
        }
        else
        {
            others.ForEach(o => _free.Enqueue(o.Place));
        }

        List<MomentPiece> coming = [.. needed.Concat(expected.Where(p => !Needed(p))).Skip(_fetched.Count)];
        _coming.Clear();
        _coming.AddRange(coming);
        return needed.Count;

        bool Needed(MomentPiece piece) => weights.Contains(piece.Moments);
    }

    private void Fetch()
    {
        while (_coming.Count > 0 && _free.TryDequeue(out var place))
        {
            fetch(place, _coming[0]);
            _fetched.Add((_coming[0], place));
            _coming.RemoveAt(0);
        }
    }
}
