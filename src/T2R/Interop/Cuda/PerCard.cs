using System.Collections.Concurrent;

namespace T2R.Interop.Cuda;

/// <summary>What there is once for each card, made when it is first asked for.</summary>
/// <param name="make">Makes it, given the card's index; what it throws, everyone who asks for that card gets.</param>
/// <typeparam name="T">What there is.</typeparam>
internal sealed class PerCard<T>(Func<int, T> make)
{
    private readonly ConcurrentDictionary<int, Lazy<T>> _made = new();

    /// <summary>That of a card.</summary>
    /// <param name="device">The card's index.</param>
    public T this[int device] => _made.GetOrAdd(device, static (d, make) => new Lazy<T>(() => make(d)), make).Value;
}
