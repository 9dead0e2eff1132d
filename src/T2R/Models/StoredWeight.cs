namespace T2R.Models;

/// <summary>Where a weight lies in a folder: a whole tensor, or some rows of one.</summary>
/// <param name="TensorName">The format's name.</param>
/// <param name="FirstRow">First row taken.</param>
/// <param name="Rows">How many rows are taken; null for the whole tensor.</param>
public sealed record StoredWeight(string TensorName, long FirstRow = 0, long? Rows = null);
