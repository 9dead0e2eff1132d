namespace T2R.Server.Sessions;

/// <summary>
/// Sessions by the ids that clients give them, the least recently used out when there are too many. A session only saves reading: a request holds its whole prompt, and one
/// whose session is gone, or is of another text, is read from its beginning. For any thread.
/// </summary>
/// <param name="capacity">The most sessions kept.</param>
internal sealed class SessionStore(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<(string Id, Session Session)>> _nodes = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Id, Session Session)> _byUse = new();

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _nodes.Count;
            }
        }
    }

    /// <summary>The session of an id, which becomes the one used last; null if there is none.</summary>
    public Session? Find(string id)
    {
        lock (_lock)
        {
            if (!_nodes.TryGetValue(id, out var node))
            {
                return null;
            }

            _byUse.Remove(node);
            _byUse.AddLast(node);
            return node.Value.Session;
        }
    }

    /// <summary>Keeps a session, in place of the one of the same id.</summary>
    public void Keep(string id, Session session)
    {
        lock (_lock)
        {
            if (_nodes.Remove(id, out var old))
            {
                _byUse.Remove(old);
            }

            _nodes.Add(id, _byUse.AddLast((id, session)));
            if (_nodes.Count > capacity)
            {
                _nodes.Remove(_byUse.First!.Value.Id);
                _byUse.RemoveFirst();
            }
        }
    }
}
