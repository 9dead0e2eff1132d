using static TorchSharp.torch;

namespace T2R.Interop.Cuda;

/// <summary>A CUDA device as the driver describes it.</summary>
/// <param name="Index">Its number among the devices this process may see, the one torch uses.</param>
/// <param name="Name">Its product name.</param>
/// <param name="Memory">Its memory in bytes.</param>
/// <param name="ComputeCapability">Its architecture, such as 9.0.</param>
/// <param name="SharedMemory">Shared memory in bytes that a block of threads can have.</param>
/// <param name="Multiprocessors">How many multiprocessors it has.</param>
public sealed record CudaDevice(int Index, string Name, long Memory, Version ComputeCapability, int SharedMemory, int Multiprocessors)
{
    /// <summary>The devices in order; none when there is no driver or it finds none.</summary>
    public static IReadOnlyList<CudaDevice> All() => CudaDriver.IsPresent ? CudaDriver.Devices() : [];

    /// <summary>The index of a card that torch names; one without a number is the first.</summary>
    /// <param name="device">A CUDA device, such as <see cref="CUDA"/>.</param>
    public static int IndexOf(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return Math.Max(0, device.index);
    }
}
