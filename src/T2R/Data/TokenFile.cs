using Microsoft.ML.Tokenizers;
using Microsoft.Win32.SafeHandles;

namespace T2R.Data;

/// <summary>Fills files of tokens.</summary>
internal static class TokenFile
{
    /// <summary>Tokenizes a corpus into a file, going on with what it holds.</summary>
    /// <param name="file">Open for reading and writing; complete when this returns.</param>
    /// <param name="key">The SHA-256 of everything the ids depend on.</param>
    /// <param name="corpus">The documents.</param>
    /// <param name="tokenizer">As for <see cref="BatchEncoder"/>.</param>
    /// <param name="beginId">The beginning-of-sequence id.</param>
    /// <param name="work">How.</param>
    /// <exception cref="UserErrorException">A source file cannot be read, more records are damaged than may be, or the corpus holds no document.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Fill(SafeFileHandle file, byte[] key, ICorpus corpus, Tokenizer tokenizer, int beginId, TokenizingOptions work)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(beginId);
        var writer = new TokenWriter(file, new TokenFileHeader(key, sizeof(ushort), beginId, 0, 0, default, IsComplete: false), found => found.Damaged <= work.DamagedLimit);
        if (!writer.Header.IsComplete)
        {
            Fill(writer, corpus, new BatchEncoder(tokenizer, beginId, work.Threads ?? Environment.ProcessorCount), work);
        }
    }

    private static void Fill(TokenWriter writer, ICorpus corpus, BatchEncoder encoder, TokenizingOptions work)
    {
        try
        {
            foreach (EncodedBatch batch in encoder.Run(corpus.Batches(writer.Header.Position, encoder.Cut, work.Cancellation), work.Cancellation))
            {
                PassOver(batch.Damages, writer.Header.Damaged, work);
                writer.Append(batch);
                work.Progress?.Report(new StageProgress("tokenizing", batch.SourceBytesRead, corpus.SourceBytes, "bytes"));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or UserErrorException)
        {
            writer.Commit();
            throw;
        }

        if (writer.Header.Count == 0)
        {
            throw new UserErrorException($"{corpus.Name}: no document in it, so there is nothing to train or measure on; add text or change the held-out fraction.");
        }

        writer.Complete();
        work.Progress?.Report(new StageProgress("tokenizing", corpus.SourceBytes, corpus.SourceBytes, "bytes"));
    }

    private static void PassOver(IReadOnlyList<UserErrorException> damages, long before, TokenizingOptions work)
    {
        for (int i = 0; i < damages.Count; i++)
        {
            if (before + i >= work.DamagedLimit)
            {
                throw work.DamagedLimit == 0
                    ? damages[i]
                    : new UserErrorException($"{damages[i].Message} This is damaged record {before + i + 1}, and {work.DamagedLimit} may be passed over: mend the text or raise the limit.", damages[i]);
            }

            work.Warn?.Invoke($"Damaged record {before + i + 1} of {work.DamagedLimit} that may be passed over: {damages[i].Message}");
        }
    }
}
