using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Microsoft.ML.Tokenizers;
using T2R.Checkpoints;

namespace T2R.Data;

/// <summary>
/// The ids of a corpus' documents in one line, the beginning-of-sequence id before each. It takes 2 bytes an id while all ids fit, else 4.
/// </summary>
[SuppressMessage("Naming", "CA1711", Justification = "A stream of tokens is what the field calls it.")]
public sealed class TokenStream
{
    private readonly ushort[]? _narrow;
    private readonly int[]? _wide;

    internal TokenStream(ushort[] ids, int beginId) => (_narrow, BeginId) = (ids, beginId);

    internal TokenStream(int[] ids, int beginId) => (_wide, BeginId) = (ids, beginId);

    /// <summary>The id that stands before each document, and nowhere else.</summary>
    public int BeginId { get; }

    /// <summary>How many ids there are.</summary>
    public long Count => _narrow?.Length ?? _wide!.Length;

    internal int BytesPerId => _narrow is not null ? sizeof(ushort) : sizeof(int);

    internal ReadOnlySpan<byte> Bytes => _narrow is not null ? MemoryMarshal.AsBytes(_narrow.AsSpan()) : MemoryMarshal.AsBytes(_wide.AsSpan());

    /// <summary>One id.</summary>
    /// <param name="position">From 0 to <see cref="Count"/> − 1.</param>
    public int this[long position] => _narrow is not null ? _narrow[position] : _wide![position];

    /// <summary>Copies consecutive ids.</summary>
    /// <param name="position">The position of the first.</param>
    /// <param name="ids">Filled to its end.</param>
    public void CopyTo(long position, Span<long> ids)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = this[position + i];
        }
    }

    /// <summary>Tokenizes a corpus. The result does not depend on the number of threads.</summary>
    /// <param name="corpus">The documents.</param>
    /// <param name="tokenizer">Must be safe for several threads and add no special ids by itself.</param>
    /// <param name="beginId">The beginning-of-sequence id.</param>
    /// <param name="progress">Hears of the bytes of source files done.</param>
    /// <param name="threads">How many threads tokenize; by default as many as there are cores.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <returns>The stream.</returns>
    /// <exception cref="UserErrorException">A file is damaged, or the corpus holds no document.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public static TokenStream Build(
        ICorpus corpus, Tokenizer tokenizer, int beginId, IProgress<StageProgress>? progress = null, int? threads = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(beginId);
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads ?? Environment.ProcessorCount, CancellationToken = cancellation };
        var builder = new TokenStreamBuilder();
        foreach (List<Document> batch in Batches(corpus.Documents()))
        {
            var ids = new IReadOnlyList<int>[batch.Count];
            Parallel.For(0, batch.Count, options, i => ids[i] = tokenizer.EncodeToIds(batch[i].Text));
            foreach (IReadOnlyList<int> document in ids)
            {
                builder.Append(beginId);
                builder.Append(document);
            }

            if (builder.Bytes > int.MaxValue)
            {
                throw new UserErrorException($"{corpus.Name} has more tokens than the {int.MaxValue / 2} that are held in memory at once; name fewer files.");
            }

            progress?.Report(new StageProgress("tokenizing", batch[^1].SourceBytesRead, corpus.SourceBytes, "bytes"));
        }

        return builder.Count > 0
            ? builder.ToStream(beginId)
            : throw new UserErrorException($"{corpus.Name}: no document in it, so there is nothing to train or measure on; add text or change the held-out fraction.");
    }

    /// <summary>Reads a file of token ids, little-endian unsigned 16-bit numbers without a header.</summary>
    /// <param name="path">The file.</param>
    /// <param name="beginId">The id that stands before each document.</param>
    /// <returns>The stream.</returns>
    /// <exception cref="UserErrorException">There is no such file, or its length is odd or 0.</exception>
    public static TokenStream FromFile(string path, int beginId)
    {
        long length = InputFile.Length(path);
        if (length == 0 || length % 2 != 0 || length > int.MaxValue)
        {
            throw new UserErrorException($"{path} holds {length} bytes; expected token ids of 2 bytes each, from one to {int.MaxValue / 2} of them.");
        }

        var ids = new ushort[length / 2];
        using FileStream file = File.OpenRead(path);
        file.ReadExactly(MemoryMarshal.AsBytes(ids.AsSpan()));

        return new TokenStream(ids, beginId);
    }

    // Some 4 million characters at a time: enough for every thread, little enough to hold.
    private static IEnumerable<List<Document>> Batches(IEnumerable<Document> documents)
    {
        var batch = new List<Document>();
        int length = 0;
        foreach (Document document in documents)
        {
            batch.Add(document);
            length += document.Text.Length;
            if (length >= 1 << 22)
            {
                yield return batch;
                batch = [];
                length = 0;
            }
        }

        if (batch.Count > 0)
        {
            yield return batch;
        }
    }
}
