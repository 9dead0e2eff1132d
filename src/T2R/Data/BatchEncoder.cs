using System.Collections.Concurrent;
using Microsoft.ML.Tokenizers;
using T2R.Tokenization;
using SentencePieceTokenizer = T2R.Tokenization.SentencePieceTokenizer;

namespace T2R.Data;

/// <summary>Turns batches of documents into ids: decoding and tokenizing on several threads, the results in the batches' order.</summary>
/// <param name="tokenizer">Must be safe for several threads and add no special ids by itself.</param>
/// <param name="beginId">The id that is put before each document.</param>
/// <param name="threads">How many threads work.</param>
internal sealed class BatchEncoder(Tokenizer tokenizer, int beginId, int threads)
{
    // So many that no thread waits while the first in the order is long, and of long documents few enough to hold.
    private const int BatchesPerThread = 8;
    private const long MostBytes = 128 << 20;

    private readonly ConcurrentBag<List<int>> _spare = [];
    private readonly Lazy<PartEncoder> _parts = new(() => new PartEncoder(((SentencePieceTokenizer)tokenizer).Model));

    /// <summary>Where long texts can be cut; null when the tokenizer must have them whole.</summary>
    public TextCut? Cut => tokenizer is SentencePieceTokenizer pieces && PartEncoder.Suited(pieces.Model) ? text => _parts.Value.LastCut(text) : null;

    /// <summary>Encodes.</summary>
    /// <param name="batches">Read on the caller's thread, some batches ahead of what is given back.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <returns>What each batch became; its ids are valid until the next is asked for.</returns>
    public IEnumerable<EncodedBatch> Run(IEnumerable<DocumentBatch> batches, CancellationToken cancellation)
    {
        var tasks = new TaskFactory(cancellation, TaskCreationOptions.None, TaskContinuationOptions.None, new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, threads).ConcurrentScheduler);
        var pending = new Queue<(Task<EncodedBatch> Encoding, long Bytes)>();
        long bytes = 0;
        try
        {
            foreach (DocumentBatch batch in batches)
            {
                while (pending.Count >= threads * BatchesPerThread || (pending.Count > 0 && bytes + batch.Bytes > MostBytes))
                {
                    EncodedBatch first = Take();
                    yield return first;
                    GiveBack(first.Ids);
                }

                cancellation.ThrowIfCancellationRequested();
                bytes += batch.Bytes;
                pending.Enqueue((tasks.StartNew(() => Encode(batch, cancellation), cancellation), batch.Bytes));
            }

            while (pending.Count > 0)
            {
                EncodedBatch first = Take();
                yield return first;
                GiveBack(first.Ids);
            }
        }
        finally
        {
            ((Task)Task.WhenAll(pending.Select(p => p.Encoding))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
        }

        EncodedBatch Take()
        {
            var (encoding, size) = pending.Dequeue();
            bytes -= size;
            return encoding.GetAwaiter().GetResult();
        }
    }

    private EncodedBatch Encode(DocumentBatch batch, CancellationToken cancellation)
    {
        List<int> ids = _spare.TryTake(out List<int>? spare) ? spare : [];
        List<UserErrorException>? damages = null;
        foreach (CorpusRecord record in batch.Records)
        {
            cancellation.ThrowIfCancellationRequested();
            if (record.Document is { } document)
            {
                Append(document, ids);
            }
            else
            {
                (damages ??= []).Add(record.Damage!);
            }
        }

        return new EncodedBatch(batch.End, batch.SourceBytesRead, ids, damages ?? []);
    }

    private void Append(Document document, List<int> ids)
    {
        if (document.Part is null or { IsFirst: true })
        {
            ids.Add(beginId);
        }

        if (document.Part is { } part)
        {
            _parts.Value.AppendIds(document.Text, part.IsFirst, ids);
        }
        else if (tokenizer is TextTokenizer quick)
        {
            quick.AppendIds(document.Text, ids);
        }
        else
        {
            ids.AddRange(tokenizer.EncodeToIds(document.Text));
        }
    }

    // One that a very long document made large would be large for good.
    private void GiveBack(List<int> ids)
    {
        if (ids.Capacity <= 1 << 20)
        {
            ids.Clear();
            _spare.Add(ids);
        }
    }
}
