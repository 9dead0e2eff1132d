namespace T2R.Ops.Decode;

/// <summary>A weight as the kernels of <c>Decode.cu</c> read it.</summary>
/// <param name="Codes">Address of its numbers on the card, a multiple of 16, row-major.</param>
/// <param name="Scales">Address of its scales; 0 for numbers that need none.</param>
/// <param name="Rows">O, a multiple of 16.</param>
internal readonly record struct DecodeWeight(nint Codes, nint Scales, int Rows);
