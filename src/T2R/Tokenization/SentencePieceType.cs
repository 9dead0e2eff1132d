namespace T2R.Tokenization;

/// <summary>What a piece is for, with the numbers of <c>ModelProto.SentencePiece.Type</c>.</summary>
public enum SentencePieceType
{
    /// <summary>Text that merges may form.</summary>
    Normal = 1,

    /// <summary>Stands for what the vocabulary cannot spell; exactly one piece.</summary>
    Unknown = 2,

    /// <summary>Has no text, such as <c>&lt;s&gt;</c>: encoding never yields it, decoding skips it.</summary>
    Control = 3,

    /// <summary>Always one piece wherever its text occurs, before any merge.</summary>
    UserDefined = 4,

    /// <summary>Takes part in merging, then is taken apart again.</summary>
    Unused = 5,

    /// <summary>One byte of UTF-8, spelled <c>&lt;0x41&gt;</c>.</summary>
    Byte = 6,
}
