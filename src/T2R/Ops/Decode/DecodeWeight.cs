namespace T2R.Ops.Decode;

/// <summary>A weight as the kernels of <c>Decode.cu</c> read it.</summary>
/// <param name="Codes">Address of its numbers on the card, a multiple of 16: 16-bit numbers row after row, or codes in the order of <c>LaneOrder.cs</c>.</param>
/// <param name="Scales">Address of its scales, bf16 <c>[I/64, O]</c>; 0 for 16-bit numbers, which need none.</param>
/// <param name="Rows">O; a multiple of 16 in few bits and in a stack of several.</param>
internal readonly record struct DecodeWeight(nint Codes, nint Scales, int Rows);
