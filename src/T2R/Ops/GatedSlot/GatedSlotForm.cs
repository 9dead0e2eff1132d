namespace T2R.Ops.GatedSlot;

/// <summary>Which of the equivalent computations runs.</summary>
public enum GatedSlotForm
{
    /// <summary>The recurrence, token by token, as it is written on paper: the oracle of the tests, slow.</summary>
    Reference,

    /// <summary>Many tokens at once: training and prefill.</summary>
    Chunk,

    /// <summary>One token after another with few operations: decoding.</summary>
    Recurrent,
}
