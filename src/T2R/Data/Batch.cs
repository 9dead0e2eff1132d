using static TorchSharp.torch;

namespace T2R.Data;

/// <summary>Windows of a token stream, as a model takes them.</summary>
/// <param name="Ids">The ids, int64 <c>[B, T]</c>; each row gives T − 1 predictions.</param>
/// <param name="DocumentStarts">
/// Bool <c>[B, T]</c>: true where an id begins a document. A row's first column is true only if it is one; the state before a row is zero in any case.
/// </param>
public sealed record Batch(Tensor Ids, Tensor DocumentStarts) : IDisposable
{
    internal static Batch Of(long[] ids, int windowLength, int beginId, Device device)
    {
        Tensor ids_BT = tensor(ids, [ids.Length / windowLength, windowLength], device: device);
        return new Batch(ids_BT, ids_BT.eq(beginId));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Ids.Dispose();
        DocumentStarts.Dispose();
    }
}
