namespace T2R.Data;

/// <summary>A file of a corpus is not any more what it was when it was hashed, so that what was made of it belongs to no hash.</summary>
internal sealed class TextChangedException(string path)
    : IOException($"{path} was changed while it was read; give the same command again once it stays as it is.");
