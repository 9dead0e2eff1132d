namespace T2R.Interop.Cuda;

/// <summary>A kernel of a <see cref="CudaModule"/>.</summary>
internal sealed unsafe class CudaKernel
{
    private readonly string _name;
    private readonly nint _function;

    internal CudaKernel(string name, nint function) => (_name, _function) = (name, function);

    /// <summary>
    /// Puts the kernel into a stream; the calling thread goes on. What goes wrong while it runs (an address that is not there) shows in a later call, and the card's
    /// context is lost then.
    /// </summary>
    /// <param name="stream">Where; <see cref="CudaStream.Torch"/> for the order of torch's own work.</param>
    /// <param name="blocks">Blocks of the grid; 0 does nothing.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="arguments">One for each of the kernel's parameters, in order and of its type.</param>
    /// <exception cref="InvalidOperationException">The driver refuses.</exception>
    public void Launch(CudaStream stream, int blocks, int threads, params ReadOnlySpan<KernelArgument> arguments)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (blocks == 0)
        {
            return;
        }

        ulong* values = stackalloc ulong[arguments.Length];
        void** addresses = stackalloc void*[arguments.Length];
        for (int i = 0; i < arguments.Length; i++)
        {
            values[i] = arguments[i].Bits;
            addresses[i] = values + i;
        }

        CudaDriver.Enter();
        CudaDriver.Check(
            CudaDriver.cuLaunchKernel(_function, (uint)blocks, 1, 1, (uint)threads, 1, 1, 0, stream.Handle, addresses, null),
            $"{nameof(CudaDriver.cuLaunchKernel)} of {_name}");
    }
}
