namespace T2R.Data;

/// <summary>What a part of a document knows of the whole.</summary>
/// <param name="IsFirst">Whether the document begins with it.</param>
/// <param name="Whole">The hash of the document's text.</param>
internal sealed record DocumentPart(bool IsFirst, TextHash Whole);
