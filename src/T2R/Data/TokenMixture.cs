namespace T2R.Data;

/// <summary>Text to learn from: token streams of several sources, each with its weight.</summary>
public sealed class TokenMixture : IDisposable
{
    /// <summary>Mixes streams.</summary>
    /// <param name="sources">The streams, which the mixture owns, each with its weight, above 0; a weight is relative to the others'.</param>
    /// <exception cref="ArgumentException">There is none, a weight is not above 0, or their beginning ids differ.</exception>
    public TokenMixture(params IReadOnlyList<(TokenStream Stream, double Weight)> sources)
    {
        if (sources.Count == 0 || sources.Any(s => !(s.Weight > 0 && double.IsFinite(s.Weight))) || sources.Any(s => s.Stream.BeginId != sources[0].Stream.BeginId))
        {
            throw new ArgumentException("A mixture needs streams with weights above 0 and one beginning id.", nameof(sources));
        }

        Sources = sources;
    }

    /// <summary>The streams with their weights.</summary>
    public IReadOnlyList<(TokenStream Stream, double Weight)> Sources { get; }

    /// <summary>How many ids there are in all of them.</summary>
    public long Count => Sources.Sum(s => s.Stream.Count);

    /// <summary>The id that stands before each document, and nowhere else.</summary>
    public int BeginId => Sources[0].Stream.BeginId;

    /// <summary>A stream alone.</summary>
    /// <param name="stream">The stream.</param>
    public static implicit operator TokenMixture(TokenStream stream) => FromTokenStream(stream);

    /// <summary>A stream alone.</summary>
    /// <param name="stream">The stream.</param>
    public static TokenMixture FromTokenStream(TokenStream stream) => new((stream, 1));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((TokenStream stream, _) in Sources)
        {
            stream.Dispose();
        }
    }
}
