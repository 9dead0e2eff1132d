namespace T2R.Server.Chat.Jinja;

/// <summary>What a statement says about the loop around it.</summary>
internal enum JinjaFlow
{
    /// <summary>Go on.</summary>
    Next,

    /// <summary>Leave the loop.</summary>
    Break,

    /// <summary>Go on with the loop's next element.</summary>
    Continue,
}
