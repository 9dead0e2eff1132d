using T2R.Ops;
using T2R.Ops.GatedSlot;
using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>
/// What all layers share for one stretch of tokens: document boundaries, where the stretch starts, and what is derived from these once (rotary tables,
/// attention masks). Dispose it after the last layer's backward.
/// </summary>
public sealed class SequenceContext : IDisposable
{
    private readonly Dictionary<(double Theta, RopeScaling? Scaling, int HeadDim, ScalarType Dtype), (Tensor Cos, Tensor Sin)> _rotary = [];
    private readonly Dictionary<int, Tensor> _masks = [];
    private readonly Tensor? _documentStarts_BS;

    /// <summary>A stretch of tokens.</summary>
    /// <param name="batch">Sequences, B.</param>
    /// <param name="length">Tokens of each, T.</param>
    /// <param name="device">Where the model runs.</param>
    /// <param name="documentStarts_BS">
    /// bool <c>[B, Offset + T]</c>, true where a document starts, in what the states have seen and in this stretch; null when none does. Borrowed, not owned.
    /// </param>
    /// <param name="offset">How many tokens the states have seen before this stretch.</param>
    /// <param name="form">Which form of the gated slot operator runs.</param>
    public SequenceContext(long batch, long length, Device device, Tensor? documentStarts_BS = null, long offset = 0, GatedSlotForm form = GatedSlotForm.Chunk)
    {
        if (documentStarts_BS is not null && !documentStarts_BS.shape.AsSpan().SequenceEqual([batch, offset + length]))
        {
            throw new ArgumentException($"has shape [{string.Join(", ", documentStarts_BS.shape)}], expected [{batch}, {offset + length}]", nameof(documentStarts_BS));
        }

        (Batch, Length, Device, Offset, Form, _documentStarts_BS) = (batch, length, device, offset, form, documentStarts_BS);
        DocumentStarts_BT = offset == 0 ? documentStarts_BS : documentStarts_BS?.narrow(1, offset, length).DetachFromDisposeScope();
    }

    /// <summary>Sequences, B.</summary>
    public long Batch { get; }

    /// <summary>Tokens of each sequence, T.</summary>
    public long Length { get; }

    /// <summary>Where the model runs.</summary>
    public Device Device { get; }

    /// <summary>bool <c>[B, T]</c>, true where a document starts in this stretch, or null.</summary>
    public Tensor? DocumentStarts_BT { get; }

    /// <summary>Tokens that the states have seen before this stretch.</summary>
    public long Offset { get; }

    /// <summary>Which form of the gated slot operator runs.</summary>
    public GatedSlotForm Form { get; }

    /// <summary>How much layers may take at once.</summary>
    public Workspace Workspace { get; init; } = Workspace.Standard;

    /// <summary>Rotary tables of these positions, <c>[T, HeadDim]</c> each.</summary>
    internal (Tensor Cos, Tensor Sin) Rotary(double theta, RopeScaling? scaling, int headDim, ScalarType dtype)
    {
        var key = (theta, scaling, headDim, dtype);
        if (!_rotary.TryGetValue(key, out var tables))
        {
            tables = RotaryEmbedding.Tables(RotaryEmbedding.Frequencies(theta, scaling, headDim, Device), Offset, Length, dtype);
            tables.Cos.DetachFromDisposeScope();
            tables.Sin.DetachFromDisposeScope();
            _rotary.Add(key, tables);
        }

        return tables;
    }

    /// <summary>Which keys a query sees, bool <c>[B or 1, 1, T, Offset + T]</c>; null when plain causality (or, for one token, everything) says it all.</summary>
    /// <param name="slidingWindow">Positions a token sees, itself included; null for all.</param>
    internal Tensor? Mask(int? slidingWindow)
    {
        long keys = Offset + Length;
        bool windowed = slidingWindow is { } w && w < keys;
        if (_documentStarts_BS is null && !windowed && (Offset == 0 || Length == 1))
        {
            return null;
        }

        int key = windowed ? slidingWindow!.Value : 0;
        if (!_masks.TryGetValue(key, out var mask))
        {
            mask = AttentionMask.Build(Length, keys, windowed ? slidingWindow : null, _documentStarts_BS, Device);
            mask.DetachFromDisposeScope();
            _masks.Add(key, mask);
        }

        return mask;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var (cos, sin) in _rotary.Values)
        {
            cos.Dispose();
            sin.Dispose();
        }

        foreach (var mask in _masks.Values)
        {
            mask.Dispose();
        }

        if (Offset > 0)
        {
            DocumentStarts_BT?.Dispose();
        }

        _rotary.Clear();
        _masks.Clear();
    }
}
