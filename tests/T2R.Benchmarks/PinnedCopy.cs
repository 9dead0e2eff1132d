using System.Diagnostics;
using T2R.Interop;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>What the bus can do: plain copies between 1 GiB of pinned memory and the card.</summary>
internal static class PinnedCopy
{
    private const long BufferBytes = 1L << 30;

    /// <summary>Seconds that so many bytes take to the card.</summary>
    public static double ToCard(double bytes) => Seconds(bytes, (stream, card, host) => stream.CopyToDevice(card, host, BufferBytes));

    /// <summary>Seconds that so many bytes take to the host.</summary>
    public static double ToHost(double bytes) => Seconds(bytes, (stream, card, host) => stream.CopyToHost(host, card, BufferBytes));

    private static double Seconds(double bytes, Action<CudaStream, nint, nint> copy)
    {
        using var buffer = new PinnedMemory(device: 0, BufferBytes);
        using var stream = new CudaStream(device: 0);
        using var onCard = zeros(BufferBytes, ScalarType.Byte, CUDA);
        CudaStream.Torch(device: 0).Synchronize();
        Times(1);
        long times = (long)Math.Ceiling(bytes / BufferBytes);
        return Times(times) * bytes / (times * BufferBytes);

        double Times(long count)
        {
            var clock = Stopwatch.StartNew();
            for (long i = 0; i < count; i++)
            {
                copy(stream, TensorMemory.DataPointer(onCard), buffer.Address);
            }

            stream.Synchronize();
            return clock.Elapsed.TotalSeconds;
        }
    }
}
