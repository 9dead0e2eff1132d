namespace T2R.Server.Chat.Jinja;

/// <summary>What a token of a template is.</summary>
internal enum JinjaTokenKind
{
    /// <summary>Text that is written as it is.</summary>
    Data,

    /// <summary>A block begins: <c>{%</c>.</summary>
    BlockBegin,

    /// <summary>A block ends.</summary>
    BlockEnd,

    /// <summary>An output begins: <c>{{</c>.</summary>
    OutputBegin,

    /// <summary>An output ends.</summary>
    OutputEnd,

    /// <summary>A name or a keyword.</summary>
    Name,

    /// <summary>A string, without quotes and escapes.</summary>
    Text,

    /// <summary>A whole number.</summary>
    Whole,

    /// <summary>A number with a point or an exponent.</summary>
    Real,

    /// <summary>An operator or a bracket.</summary>
    Operator,

    /// <summary>The template ends.</summary>
    End,
}
