using System.Security.Cryptography;
using System.Text;

namespace T2R.Data;

/// <summary>
/// A corpus in two disjoint parts. A document's text alone decides its part, by hash: order, machine, file names and the other documents change nothing, and
/// two equal texts never stand on both sides.
/// </summary>
/// <param name="Train">What is learned from.</param>
/// <param name="Validation">What is only measured on.</param>
public sealed record HeldOutSplit(ICorpus Train, ICorpus Validation)
{
    /// <summary>Splits a corpus; reads nothing yet.</summary>
    /// <param name="corpus">The corpus.</param>
    /// <param name="fraction">The share of the documents to hold out, above 0 and below 1. A larger share holds out the same documents and more.</param>
    /// <returns>Both parts.</returns>
    /// <exception cref="UserErrorException"><paramref name="fraction"/> is out of range.</exception>
    public static HeldOutSplit Of(ICorpus corpus, double fraction) => fraction is > 0 and < 1
        ? new HeldOutSplit(new Part(corpus, fraction, validation: false), new Part(corpus, fraction, validation: true))
        : throw new UserErrorException($"The held-out fraction is {fraction}; it must lie above 0 and below 1, for example 0.02.");

    private sealed class Part(ICorpus corpus, double fraction, bool validation) : ICorpus
    {
        public string Name => $"{corpus.Name} ({(validation ? "held out" : "training part")})";

        public long SourceBytes => corpus.SourceBytes;

        public string Fingerprint(IProgress<StageProgress>? progress = null, CancellationToken cancellation = default) =>
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{corpus.Fingerprint(progress, cancellation)} {fraction:R} {validation}")));

        // A damaged record belongs to both parts: it could have been in either.
        public IEnumerable<DocumentBatch> Batches(CorpusPosition from = default, TextCut? cut = null, CancellationToken cancellation = default) =>
            corpus.Batches(from, cut, cancellation).Select(b => b with { Records = b.Records.Where(r => r.Document is not { } document || IsHeldOut(document) == validation) });

        private bool IsHeldOut(Document document) => (document.Part?.Whole ?? TextHash.Of(document.Text)).High < fraction * ulong.MaxValue;
    }
}
