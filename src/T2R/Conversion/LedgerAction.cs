namespace T2R.Conversion;

/// <summary>What became of a tensor.</summary>
public enum LedgerAction
{
    /// <summary>Same values, same name.</summary>
    Copied,

    /// <summary>Same values under the target format's name.</summary>
    Renamed,

    /// <summary>In the target only; the initialisation says how it starts.</summary>
    New,

    /// <summary>In both, with other values than in the source.</summary>
    Adapted,

    /// <summary>In the source only.</summary>
    Dropped,
}
