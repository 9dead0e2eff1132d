namespace T2R.Interop.Cuda;

/// <summary>The memory of the card that this process computes on, as the driver counts it.</summary>
/// <param name="Free">Bytes that nobody holds.</param>
/// <param name="Total">Bytes the card has.</param>
public readonly record struct CudaMemory(long Free, long Total)
{
    /// <summary>Bytes in use, by this process (context, allocator and all) and by others.</summary>
    public long Used => Total - Free;

    /// <summary>Whether so little is free that whatever failed will have failed for it.</summary>
    internal bool IsFull => Free < Total / 64;

    /// <summary>Reads it, in some microseconds, without waiting for the card's work.</summary>
    /// <exception cref="InvalidOperationException">There is no driver, or it reports an error.</exception>
    public static CudaMemory Now()
    {
        CudaDriver.Enter();
        CudaDriver.Check(CudaDriver.cuMemGetInfo_v2(out nuint free, out nuint total), nameof(CudaDriver.cuMemGetInfo_v2));
        return new CudaMemory((long)free, (long)total);
    }

    /// <summary>Reads it if this process computes on the card already; null when it does not, for reading would begin that, or when the driver has failed.</summary>
    public static CudaMemory? IfInUse()
    {
        if (!CudaDriver.HasContext)
        {
            return null;
        }

        CudaDriver.Enter();
        return CudaDriver.cuMemGetInfo_v2(out nuint free, out nuint total) == 0 ? new CudaMemory((long)free, (long)total) : null;
    }
}
