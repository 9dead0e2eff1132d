using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Ops.AdamW;
using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>Memory of the card for the moments of one piece, and the marks of its way: arrived, stepped, left.</summary>
internal sealed class StagingPlace : IDisposable
{
    private readonly List<Tensor> _tensors = [];
    private readonly CudaEvent _arrived, _stepped, _left;

    /// <summary>Takes the memory.</summary>
    /// <param name="layout">Of the moments that are to pass, for the most elements of a piece.</param>
    /// <param name="device">The card.</param>
    public StagingPlace(MomentLayout layout, Device device)
    {
        int card = CudaDevice.IndexOf(device);
        (_arrived, _stepped, _left) = (new CudaEvent(card), new CudaEvent(card), new CudaEvent(card));
        try
        {
            foreach (var (_, dtype, shape) in layout.Tensors)
            {
                _tensors.Add(empty([.. shape], dtype, device).DetachFromDisposeScope());
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Copies a piece's moments in, once what lay here has left.</summary>
    /// <param name="stream">Does it.</param>
    /// <param name="piece">The piece.</param>
    public void CopyIn(CudaStream stream, MomentPiece piece)
    {
        stream.WaitFor(_left);
        foreach (var (host, device, bytes) in Parts(piece))
        {
            stream.CopyToDevice(device, host, bytes);
        }

        stream.Record(_arrived);
    }

    /// <summary>Steps a piece, once its moments have arrived.</summary>
    /// <param name="stream">Does it.</param>
    /// <param name="piece">The piece.</param>
    /// <param name="gradient">Of its whole weight; contiguous.</param>
    /// <param name="step">The constants.</param>
    public void Step(CudaStream stream, MomentPiece piece, Tensor gradient, in AdamWStep step)
    {
        var range = new AdamWRange(piece.Moments.Weight.Tensor, gradient, piece.Moments.Layout.StateOf(_tensors), step, piece.First, piece.Count);
        range.Check();
        stream.WaitFor(_arrived);
        CudaAdamW.Run(stream, [range]);
        stream.Record(_stepped);
    }

    /// <summary>Copies a piece's moments out, once it has stepped.</summary>
    /// <param name="stream">Does it.</param>
    /// <param name="piece">The piece.</param>
    public void CopyOut(CudaStream stream, MomentPiece piece)
    {
        stream.WaitFor(_stepped);
        foreach (var (host, device, bytes) in Parts(piece))
        {
            stream.CopyToHost(host, device, bytes);
        }

        stream.Record(_left);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in _tensors)
        {
            tensor.Dispose();
        }

        _arrived.Dispose();
        _stepped.Dispose();
        _left.Dispose();
    }

    // Numbers come one for each element, or scales one for each block.
    private IEnumerable<(nint Host, nint Device, long Bytes)> Parts(MomentPiece piece)
    {
        long total = piece.Moments.Weight.Tensor.numel();
        foreach (var (held, staged) in piece.Moments.Named.Select(n => n.Tensor).Zip(_tensors))
        {
            long each = held.numel() == total ? 1 : EightBitCode.Block;
            long first = piece.First / each, count = (piece.Count + each - 1) / each, size = held.element_size();
            yield return (TensorMemory.DataPointer(held) + (nint)(first * size), TensorMemory.DataPointer(staged), count * size);
        }
    }
}
