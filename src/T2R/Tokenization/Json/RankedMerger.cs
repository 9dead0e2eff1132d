namespace T2R.Tokenization.Json;

/// <summary>
/// The merges of one pre-token: of all neighbours that merge, those of the lowest rank first, of equal ranks the leftmost; O(n log n). One object serves one thread.
/// </summary>
internal sealed class RankedMerger
{
    private readonly PriorityQueue<int, long> _queue = new();
    private int[] _ids = new int[64];
    private int[] _ends = new int[64];
    private int[] _previous = new int[64];
    private int[] _next = new int[64];
    private int _count;

    public void Clear() => _count = 0;

    /// <summary>Adds a symbol behind the others.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="end">Where it ends in the pre-token.</param>
    public void Add(int id, int end)
    {
        if (_count == _ids.Length)
        {
            Array.Resize(ref _ids, _count * 2);
            Array.Resize(ref _ends, _count * 2);
            Array.Resize(ref _previous, _count * 2);
            Array.Resize(ref _next, _count * 2);
        }

        (_ids[_count], _ends[_count], _previous[_count], _next[_count]) = (id, end, _count - 1, _count + 1);
        _count++;
    }

    /// <summary>Merges.</summary>
    /// <param name="merges">What merges to what.</param>
    /// <param name="ids">Receives the ids.</param>
    /// <param name="ends">Receives where each ends, if that is wanted.</param>
    public void Merge(Dictionary<(int Left, int Right), (int Rank, int Id)> merges, List<int> ids, List<int>? ends)
    {
        if (_count == 0)
        {
            return;
        }

        _next[_count - 1] = -1;
        for (int i = 0; i + 1 < _count; i++)
        {
            Propose(merges, i, i + 1);
        }

        while (_queue.TryDequeue(out int merged, out long priority))
        {
            // Stale if what stands here now does not merge to the same; so does the reference tell, whatever the rank was.
            int left = (int)(priority & int.MaxValue), right = _ids[left] < 0 ? -1 : _next[left];
            if (right < 0 || !merges.TryGetValue((_ids[left], _ids[right]), out (int Rank, int Id) merge) || merge.Id != merged)
            {
                continue;
            }

            (_ids[left], _ends[left], _next[left], _ids[right]) = (merged, _ends[right], _next[right], -1);
            if (_previous[left] >= 0)
            {
                Propose(merges, _previous[left], left);
            }

            if (_next[left] >= 0)
            {
                _previous[_next[left]] = left;
                Propose(merges, left, _next[left]);
            }
        }

        for (int i = 0; i >= 0; i = _next[i])
        {
            ids.Add(_ids[i]);
            ends?.Add(_ends[i]);
        }
    }

    private void Propose(Dictionary<(int Left, int Right), (int Rank, int Id)> merges, int left, int right)
    {
        if (merges.TryGetValue((_ids[left], _ids[right]), out (int Rank, int Id) merge))
        {
            _queue.Enqueue(merge.Id, ((long)merge.Rank << 32) | (uint)left);
        }
    }
}
