using System.Runtime.InteropServices;

namespace T2R.Ops.GatedSlot;

/// <summary>What the kernels of <c>GatedSlot.cu</c> are given: its <c>struct Arguments</c>, field by field, where each is described. Addresses of the card; 0 for what is not there.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CudaArguments
{
    public nint Queries, Keys, Values, Gate, Write, DocumentStarts, FirstKeys, FirstValues, States, Decays, LastKeys, LastValues, Output;
    public nint OutputGradient, LastKeysGradient, LastValuesGradient, Probabilities, LogitGradient, Rows, StateGradients, QueriesGradient, KeysGradient, ValuesGradient;
    public nint GateGradient, WriteGradient, FirstKeysGradient, FirstValuesGradient;
    public long QueryStride, KeyStride, ValueStride, GateStride, QueryGradientStride, KeyGradientStride, ValueGradientStride, GateGradientStride;
    public int Batch, Length, Heads, Groups;
    public float Rate;
}
