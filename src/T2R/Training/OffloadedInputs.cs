using T2R.Interop;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// Inputs that wait in pinned host memory. Each leaves on a stream of its own while the next block computes, and comes back while the block after it is under its
/// backward; three at most are on the card.
/// </summary>
internal sealed class OffloadedInputs : IBlockInputs
{
    private readonly int _blocks;
    private readonly Device _device;
    private readonly CudaStream _torch, _stream;
    private readonly CudaEvent[] _moved;
    private readonly CudaEvent _ready;
    private readonly Queue<(int Block, Tensor Input)> _leaving = [];
    private PinnedMemory? _host;
    private long[] _shape = [];
    private ScalarType _dtype;
    private long _bytes;
    private (int Block, Tensor Input)? _coming;

    /// <summary>Reserves nothing yet: the first input tells its size.</summary>
    /// <param name="blocks">How many blocks the model has.</param>
    /// <param name="device">The card it is on.</param>
    public OffloadedInputs(int blocks, Device device)
    {
        int card = CudaDevice.IndexOf(device);
        (_blocks, _device) = (blocks, device);
        (_torch, _stream, _ready) = (CudaStream.Torch(card), new CudaStream(card), new CudaEvent(card));
        _moved = [.. Enumerable.Range(0, blocks).Select(_ => new CudaEvent(card))];
    }

    /// <inheritdoc />
    public void Keep(int block, Tensor input_BTD)
    {
        Fit(input_BTD);
        _torch.Record(_ready);
        _stream.WaitFor(_ready);
        _stream.CopyToHost(_host!.Address + (nint)(block * _bytes), TensorMemory.DataPointer(input_BTD), _bytes);
        _stream.Record(_moved[block]);
        _leaving.Enqueue((block, input_BTD.DetachFromDisposeScope()));
        if (_leaving.Count > 2)
        {
            Release();
        }
    }

    /// <inheritdoc />
    public void Expect(int block)
    {
        while (_leaving.Count > 0)
        {
            Release();
        }

        Fetch(block);
    }

    /// <inheritdoc />
    public Tensor Take(int block)
    {
        if (_coming is not { } coming || coming.Block != block)
        {
            throw new InvalidOperationException($"block {block} was not expected");
        }

        _torch.WaitFor(_moved[block]);
        _coming = null;
        return coming.Input;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _stream.Synchronize();
        while (_leaving.TryDequeue(out var leaving))
        {
            leaving.Input.Dispose();
        }

        _coming?.Input.Dispose();
        _coming = null;
        _host?.Dispose();
        _host = null;
        _ready.Dispose();
        Array.ForEach(_moved, e => e.Dispose());
        _stream.Dispose();
    }

    // The allocator gives a disposed tensor's memory to later work of torch's stream, which therefore must come after the copy.
    private void Release()
    {
        var (block, input_BTD) = _leaving.Dequeue();
        _torch.WaitFor(_moved[block]);
        input_BTD.Dispose();
    }

    // And the memory of a new tensor may still be in use by earlier work of torch's stream, which therefore must come before the copy.
    private void Fetch(int block)
    {
        var input_BTD = empty(_shape, _dtype, _device).DetachFromDisposeScope();
        _torch.Record(_ready);
        _stream.WaitFor(_ready);
        _stream.CopyToDevice(TensorMemory.DataPointer(input_BTD), _host!.Address + (nint)(block * _bytes), _bytes);
        _stream.Record(_moved[block]);
        _coming = (block, input_BTD);
    }

    private void Fit(Tensor input_BTD)
    {
        if (_dtype == input_BTD.dtype && _shape.AsSpan().SequenceEqual(input_BTD.shape))
        {
            return;
        }

        long bytes = input_BTD.numel() * input_BTD.element_size();
        if (bytes != _bytes)
        {
            _stream.Synchronize();
            _host?.Dispose();
            _host = new PinnedMemory(_stream.Device, bytes * _blocks);
        }

        (_bytes, _shape, _dtype) = (bytes, input_BTD.shape, input_BTD.dtype);
    }
}
