using System.Globalization;

namespace T2R.Bench;

/// <summary>How near results must be to their references before anything is timed.</summary>
/// <param name="MostError">The largest ‖a − b‖ / ‖b‖.</param>
/// <param name="LeastCosine">The least cosine.</param>
public sealed record AgreementBar(double MostError, double LeastCosine)
{
    /// <summary>Refuses results that are not near enough, those that are not finite among them.</summary>
    /// <param name="agreements">By the results' names.</param>
    /// <exception cref="WrongResultException">Names the one that is farthest off.</exception>
    public void Require(IEnumerable<KeyValuePair<string, Agreement>> agreements)
    {
        ArgumentNullException.ThrowIfNull(agreements);
        var wrong = agreements.Where(a => !(a.Value.Error <= MostError && a.Value.Cosine >= LeastCosine)).ToList();
        if (wrong.Count > 0)
        {
            var (name, of) = wrong.MaxBy(a => double.IsFinite(a.Value.Error) ? a.Value.Error : double.MaxValue);
            throw new WrongResultException(string.Create(
                CultureInfo.InvariantCulture,
                $"{name} is {of.Error:e2} off its reference (‖a − b‖ / ‖b‖, at most {MostError:e1}) with a cosine of {of.Cosine:F6} (at least {LeastCosine}), and {wrong.Count - 1} more are over the bar: nothing was timed"));
        }
    }
}
