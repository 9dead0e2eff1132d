namespace T2R.Data;

/// <summary>One text that a model reads from beginning to end, or a part of a long one; its neighbours in a corpus have nothing to do with it.</summary>
/// <param name="Text">The text.</param>
/// <param name="Id">Where it comes from, for messages: a file, a file and line, a type's name.</param>
public sealed record Document(string Text, string Id)
{
    /// <summary>Of a part of a document: what is known of the whole. Null when this is the whole.</summary>
    internal DocumentPart? Part { get; init; }
}
