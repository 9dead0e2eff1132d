namespace T2R.Server.Api;

/// <summary>How far the wording of a choice has come.</summary>
/// <param name="index">Which choice.</param>
internal sealed class AnswerChoice(int index)
{
    public int Index => index;

    /// <summary>Code points of the text so far.</summary>
    public int TextLength { get; set; }

    /// <summary>Whether its first part was worded.</summary>
    public bool HasBegun { get; set; }
}
