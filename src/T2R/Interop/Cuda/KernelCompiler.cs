namespace T2R.Interop.Cuda;

/// <summary>The compiler that makes the library's kernels for the card found: NVRTC, which comes with CUDA's libtorch.</summary>
public static class KernelCompiler
{
    /// <summary>Compiles a kernel that does nothing.</summary>
    /// <param name="device">For which card.</param>
    /// <returns>The compiler's version.</returns>
    /// <exception cref="DllNotFoundException">There is no compiler; says what to install.</exception>
    /// <exception cref="InvalidOperationException">It does not know the card; holds its words.</exception>
    public static Version Try(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Nvrtc.Compile("nothing.cu", "extern \"C\" __global__ void nothing() { }", CudaModule.Options(device.ComputeCapability));
        return Nvrtc.Version;
    }
}
