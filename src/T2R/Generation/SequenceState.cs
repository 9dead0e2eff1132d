using T2R.Generation.Decoding;

namespace T2R.Generation;

/// <summary>
/// A sequence of a recurrent model, put aside: a value of constant size, however long the sequence. What goes on from it, with the same decoder and sampling, chooses the
/// tokens that it would have chosen without the pause.
/// </summary>
/// <param name="Fingerprint">The model's.</param>
/// <param name="Memory">What the model remembers of the ids that it has read.</param>
/// <param name="Unread">Ids that were given or chosen and that it has not read yet, oldest first.</param>
/// <param name="Draws">Tokens chosen so far: which draw of the sampler comes next.</param>
/// <param name="Seen">The ids of the sequence, each once, ascending: what a repetition penalty concerns.</param>
public sealed record SequenceState(string Fingerprint, SlotState Memory, IReadOnlyList<int> Unread, long Draws, IReadOnlyList<int> Seen)
{
    /// <summary>Tokens of the sequence, read or not.</summary>
    public long Length => Memory.Length + Unread.Count;
}
