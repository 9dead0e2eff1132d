using T2R.Ops.GatedSlot;
using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>The slots of one layer: the same size after one token and after a million.</summary>
public sealed class GatedSlotLayerState : IMixerState
{
    internal GatedSlotLayerState(long batch, GatedSlotAttentionConfig config, ScalarType dtype, Device device)
    {
        var value = GatedSlotState.Zeros(batch, config.KeyValueHeads, config.HeadDim, config.Slots, config.HeadDim, dtype, device);
        Value = new GatedSlotState(value.Keys.DetachFromDisposeScope(), value.Values.DetachFromDisposeScope());
    }

    /// <summary>Keys <c>[B, Hkv, K, M]</c> and values <c>[B, Hkv, M, V]</c>.</summary>
    public GatedSlotState Value { get; private set; }

    /// <inheritdoc />
    public long ByteCount => (Value.Keys.NumberOfElements * Value.Keys.ElementSize) + (Value.Values.NumberOfElements * Value.Values.ElementSize);

    /// <summary>Takes over a new value; the old one is disposed.</summary>
    internal void Replace(GatedSlotState value)
    {
        var old = Value;
        Value = new GatedSlotState(value.Keys.detach().DetachFromDisposeScope(), value.Values.detach().DetachFromDisposeScope());
        old.Keys.Dispose();
        old.Values.Dispose();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Value.Keys.Dispose();
        Value.Values.Dispose();
    }
}
