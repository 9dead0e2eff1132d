namespace T2R.Data;

/// <summary>One text that a model reads from beginning to end; its neighbours in a corpus have nothing to do with it.</summary>
/// <param name="Text">The text.</param>
/// <param name="Id">Where it comes from, for messages: a file, a file and line, a type's name.</param>
public sealed record Document(string Text, string Id);
