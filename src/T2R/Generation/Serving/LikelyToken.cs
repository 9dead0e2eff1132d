namespace T2R.Generation.Serving;

/// <summary>A token that might have come.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LogProbability">Natural logarithm of its probability.</param>
public sealed record LikelyToken(int Id, double LogProbability);
