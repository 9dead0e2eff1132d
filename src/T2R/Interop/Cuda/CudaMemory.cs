namespace T2R.Interop.Cuda;

/// <summary>The memory of a card, as the driver counts it.</summary>
/// <param name="Free">Bytes that nobody holds.</param>
/// <param name="Total">Bytes the card has.</param>
public readonly record struct CudaMemory(long Free, long Total)
{
    /// <summary>Bytes in use, by this process (context, allocator and all) and by others.</summary>
    public long Used => Total - Free;

    /// <summary>Whether so little is free that whatever failed will have failed for it.</summary>
    internal bool IsFull => FreeShare < 1.0 / 64;

    private double FreeShare => (double)Free / Total;

    /// <summary>Reads it, in some microseconds, without waiting for the card's work.</summary>
    /// <param name="device">The card's index.</param>
    /// <exception cref="InvalidOperationException">There is no driver, or it reports an error.</exception>
    public static CudaMemory Now(int device)
    {
        using var context = CudaDriver.Enter(device);
        CudaDriver.Check(CudaDriver.cuMemGetInfo_v2(out nuint free, out nuint total), nameof(CudaDriver.cuMemGetInfo_v2));
        return new CudaMemory((long)free, (long)total);
    }

    /// <summary>That of the fullest card that this process computes on already; null when there is none, for reading would begin that, or when the driver has failed: it throws nothing, for it is read while an exception is described.</summary>
    public static CudaMemory? OfFullest()
    {
        CudaMemory? fullest = null;
        foreach (int device in CudaDriver.DevicesInUse())
        {
            try
            {
                fullest = Now(device) is var memory && !(memory.FreeShare >= fullest?.FreeShare) ? memory : fullest;
            }
            catch (InvalidOperationException)
            {
                // The driver has failed, which is not what the exception is about.
            }
        }

        return fullest;
    }
}
