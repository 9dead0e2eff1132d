using T2R.Interop;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// The forward of one key-value head on one thread, a block of tokens at a time: <see cref="CpuRecurrence"/> over a whole text. From memory come
/// 4 · (G K + K + V + 2 M) bytes a token, to it go 4 · G V and, for a backward, 4 · G M and a state every block.
/// </summary>
/// <param name="inputs">What to compute from.</param>
/// <param name="initial">The state before the first token, contiguous.</param>
/// <param name="results">Where to write.</param>
internal sealed class CpuForward(CpuInputs inputs, GatedSlotState initial, CpuResults results)
{
    private readonly CpuSizes _z = inputs.Sizes;

    /// <summary>Computes one pair of a sequence and a key-value head.</summary>
    internal void Run(int index)
    {
        var item = new CpuItem(inputs, index);
        var recurrence = new CpuRecurrence(_z);
        int keys = _z.PaddedKey * _z.PaddedSlots;

        // With a backward to come, each block reads its state and writes the next one's; without, one state is updated in place.
        var states = results.States is null
            ? new float[_z.StateLength]
            : TensorMemory.AsSpan<float>(results.States).Slice(index * (_z.Blocks + 1) * _z.StateLength, (_z.Blocks + 1) * _z.StateLength);
        int step = results.States is null ? 0 : _z.StateLength;
        states[.._z.StateLength].Clear();
        CpuState.Pack(initial.Keys, index, states, _z.KeyDim, _z.Slots, _z.PaddedSlots);
        CpuState.Pack(initial.Values, index, states[keys..], _z.Slots, _z.ValueDim, _z.PaddedValue);
        for (int i = 0; i < _z.Blocks; i++)
        {
            item.Load(recurrence.Block, i);
            recurrence.Run(states.Slice(i * step, _z.StateLength), states.Slice((i + 1) * step, _z.StateLength));
            var (first, count) = (i * CpuSizes.BlockLength, recurrence.Block.Count);
            item.Unpack(recurrence.Output, _z.PaddedValue, results.Output, first, count, _z.Groups, _z.ValueDim);
            if (results.Probabilities is not null)
            {
                item.Unpack(recurrence.Probabilities, _z.PaddedSlots, results.Probabilities, first, count, _z.Groups, _z.Slots);
            }
        }

        var last = states.Slice(_z.Blocks * step, _z.StateLength);
        CpuState.Unpack(last, results.Final.Keys, index, _z.KeyDim, _z.Slots, _z.PaddedSlots);
        CpuState.Unpack(last[keys..], results.Final.Values, index, _z.Slots, _z.ValueDim, _z.PaddedValue);
    }
}
