namespace T2R.Conversion;

/// <summary>How much of its training an exported model has had.</summary>
/// <param name="Done">Steps.</param>
/// <param name="Planned">Steps of the whole run.</param>
/// <param name="Tokens">Ids read.</param>
public sealed record TrainedSteps(int Done, int Planned, long Tokens)
{
    /// <summary>Whether that is all of it.</summary>
    public bool IsAll => Done >= Planned;
}
