namespace T2R.Interop.Cuda;

/// <summary>A kernel of a <see cref="CudaModule"/>.</summary>
internal sealed unsafe class CudaKernel
{
    private const int MaxDynamicSharedBytes = 8; // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    private static readonly PerCard<bool> CanOverlap = new(device => CudaDevice.All()[device].ComputeCapability.Major >= 9);
    private readonly string _name;
    private readonly nint _function;
    private int _sharedBytes = 48 * 1024; // what a block can have unasked

    internal CudaKernel(string name, nint function) => (_name, _function) = (name, function);

    /// <summary>
    /// Puts the kernel, whose one parameter is a struct, into a stream; the calling thread goes on. What goes wrong while it runs (an address that is not there) shows in a
    /// later call, and the card's context is lost then.
    /// </summary>
    /// <param name="stream">Where; <see cref="CudaStream.Torch"/> for the order of torch's own work. Of the card that the kernel was loaded on.</param>
    /// <param name="blocks">Blocks of the grid; 0 does nothing.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="sharedBytes">Shared memory of a block that the kernel lays out itself.</param>
    /// <param name="arguments">The struct, laid out as the kernel's.</param>
    /// <param name="overlaps">Whether its blocks may start before the kernel before it in the stream has ended, as it waits for that itself (<c>Overlap.cuh</c>).</param>
    /// <typeparam name="T">Of sequential layout.</typeparam>
    /// <exception cref="InvalidOperationException">The driver refuses, as it does with more shared memory than the card has.</exception>
    public void Launch<T>(CudaStream stream, int blocks, int threads, int sharedBytes, in T arguments, bool overlaps = false)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (blocks == 0)
        {
            return;
        }

        using var context = CudaDriver.Enter(stream.Device);
        if (sharedBytes > _sharedBytes)
        {
            CudaDriver.Check(CudaDriver.cuFuncSetAttribute(_function, MaxDynamicSharedBytes, sharedBytes), $"{nameof(CudaDriver.cuFuncSetAttribute)} of {_name} to {sharedBytes} bytes");
            _sharedBytes = sharedBytes;
        }

        fixed (T* address = &arguments)
        {
            void* addresses = address;
            var overlapping = new CudaDriver.LaunchAttribute { Id = CudaDriver.ProgrammaticStreamSerialization, Value = 1 };
            var launch = new CudaDriver.LaunchConfig
            {
                GridX = (uint)blocks,
                GridY = 1,
                GridZ = 1,
                BlockX = (uint)threads,
                BlockY = 1,
                BlockZ = 1,
                SharedBytes = (uint)sharedBytes,
                Stream = stream.Handle,
                Attributes = (nint)(&overlapping),
                AttributeCount = overlaps && CanOverlap[stream.Device] ? 1u : 0,
            };
            CudaDriver.Check(CudaDriver.cuLaunchKernelEx(&launch, _function, &addresses, null), $"{nameof(CudaDriver.cuLaunchKernelEx)} of {_name}");
        }
    }
}
