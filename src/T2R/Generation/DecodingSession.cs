using T2R.Interop;
using T2R.Models;
using T2R.Ops.GatedSlot;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Generation;

/// <summary>
/// One sequence that a model reads as it grows: several tokens at once through the chunk form, a single one through the recurrent form. Not for several threads.
/// </summary>
/// <param name="model">The model; borrowed.</param>
public sealed class DecodingSession(CausalLM model) : IDisposable
{
    /// <summary>The most tokens read at once: what a prompt needs beside the state does not grow beyond this.</summary>
    public const int PrefillLength = 2048;

    // Below this many parameters one CPU thread reads the weights about as fast as several.
    private const long SmallModel = 50_000_000;

    private readonly bool _isSmall = model.Device.type == DeviceType.CPU && model.Weights.ParameterCount < SmallModel;
    private readonly ModelState _state = model.CreateState(1);
    private readonly float[] _logits = new float[model.Config.VocabularySize];

    /// <summary>The model's shape.</summary>
    public ModelConfig Config => model.Config;

    /// <summary>Tokens read so far.</summary>
    public long Length => _state.Length;

    /// <summary>Bytes that remember them.</summary>
    public long StateBytes => _state.ByteCount;

    /// <summary>Logits of the token that follows those read, fp32 <c>[V]</c>; good until the next read.</summary>
    public ReadOnlySpan<float> Logits => _logits;

    /// <summary>Reads tokens.</summary>
    /// <param name="ids">At least one.</param>
    /// <param name="cancellation">Stops between pieces of a long text.</param>
    /// <exception cref="ArgumentException">There are no ids, or one is not the model's.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public void Read(ReadOnlySpan<int> ids, CancellationToken cancellation = default)
    {
        if (ids.IsEmpty)
        {
            throw new ArgumentException("there is nothing to read", nameof(ids));
        }

        foreach (int id in ids)
        {
            if ((uint)id >= (uint)model.Config.VocabularySize)
            {
                throw new ArgumentException($"there is no id {id}; the model has {model.Config.VocabularySize}", nameof(ids));
            }
        }

        for (int start = 0; start < ids.Length; start += PrefillLength)
        {
            cancellation.ThrowIfCancellationRequested();
            ReadPiece(ids.Slice(start, Math.Min(PrefillLength, ids.Length - start)));
        }
    }

    /// <inheritdoc />
    public void Dispose() => _state.Dispose();

    private void ReadPiece(ReadOnlySpan<int> ids)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var threads = ids.Length == 1 && _isSmall ? CpuThreads.JustOne() : null;
        var wide = new long[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            wide[i] = ids[i];
        }

        var form = ids.Length == 1 ? GatedSlotForm.Recurrent : GatedSlotForm.Chunk;
        var logits_11V = model.Continue(tensor(wide, [1, ids.Length], device: model.Device), _state, form).to(ScalarType.Float32).cpu();
        TensorMemory.AsSpan<float>(logits_11V.contiguous()).CopyTo(_logits);
    }
}
