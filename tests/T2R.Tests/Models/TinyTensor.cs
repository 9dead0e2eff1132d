namespace T2R.Tests.Models;

/// <summary>A weight in plain numbers, row-major.</summary>
internal sealed record TinyTensor(long[] Shape, double[] Values);
