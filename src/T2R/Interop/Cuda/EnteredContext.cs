namespace T2R.Interop.Cuda;

/// <summary>A card's context that is a thread's for a while: disposed, the thread has the one it had. libtorch computes on the card of the thread's own wherever none is named.</summary>
internal readonly ref struct EnteredContext
{
    private readonly nint _before;
    private readonly bool _isOther;

    /// <summary>Enters.</summary>
    /// <param name="context">The context.</param>
    /// <exception cref="InvalidOperationException">The driver reports an error.</exception>
    public EnteredContext(nint context)
    {
        CudaDriver.Check(CudaDriver.cuCtxGetCurrent(out _before), nameof(CudaDriver.cuCtxGetCurrent));
        _isOther = _before != context;
        if (_isOther)
        {
            CudaDriver.Check(CudaDriver.cuCtxSetCurrent(context), nameof(CudaDriver.cuCtxSetCurrent));
        }
    }

    /// <summary>Leaves. A driver that refuses even that has refused something before, which is what the caller is to hear of.</summary>
    public void Dispose()
    {
        if (_isOther)
        {
            _ = CudaDriver.cuCtxSetCurrent(_before);
        }
    }
}
