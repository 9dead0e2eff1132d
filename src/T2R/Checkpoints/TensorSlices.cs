using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>A tensor's bytes, row-major, piece by piece, so that a large tensor of any device and strides needs no second whole copy.</summary>
internal static class TensorSlices
{
    private const long SliceBytes = 4 << 20;

    internal delegate void Consume(ReadOnlySpan<byte> bytes);

    internal static void ForEach(Tensor tensor, Consume consume)
    {
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        Visit(tensor.detach(), consume);
    }

    private static void Visit(Tensor tensor, Consume consume)
    {
        long bytes = tensor.numel() * tensor.element_size();
        if (bytes == 0)
        {
            return;
        }

        using var scope = NewDisposeScope();
        if (bytes <= SliceBytes)
        {
            consume(TensorMemory.Bytes(tensor.cpu().contiguous()));
            return;
        }

        // Rows that fit a slice go together; a row that does not fit is itself cut along its next dimension.
        Tensor whole = tensor.is_contiguous() ? tensor.view(-1) : tensor;
        long rows = whole.shape[0], step = SliceBytes / (bytes / rows);
        for (long row = 0; row < rows; row += Math.Max(step, 1))
        {
            using var rowScope = NewDisposeScope();
            Visit(step > 0 ? whole.narrow(0, row, Math.Min(step, rows - row)) : whole.select(0, row), consume);
        }
    }
}
