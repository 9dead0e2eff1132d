namespace T2R.Tokenization;

/// <summary>What a token is for.</summary>
public enum TokenKind
{
    /// <summary>Spells whole characters.</summary>
    Text,

    /// <summary>Spells bytes that may be a part of a character.</summary>
    Bytes,

    /// <summary>Stands for what the vocabulary cannot spell.</summary>
    Unknown,

    /// <summary>Has no text, such as <c>&lt;s&gt;</c>; decoding skips it.</summary>
    Control,
}
