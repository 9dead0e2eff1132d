using System.Diagnostics;
using T2R.Data;
using T2R.Interop;
using T2R.Tokenization;

namespace T2R.Benchmarks;

/// <summary>
/// How fast a corpus becomes a file of ids on all cores, from the compressed text to the flushed file, and where the time of one core goes: each line of the profile is
/// one part of the work alone, over the whole text.
/// </summary>
internal static class TokenizingMeasure
{
    private const int Runs = 3;

    public static void Run(string tokenizerFolder, string text, string output)
    {
        for (int run = 0; run < Runs; run++)
        {
            var (count, seconds) = Build(tokenizerFolder, text, output);
            Console.WriteLine(
                $"{count:N0} ids in {seconds:F2} s: {count / seconds / 1e6:F2} M ids/s on {Environment.ProcessorCount} cores; most memory so far {ProcessMemory.Now().PeakResident / 1e6:N0} MB{(run == 0 ? "; the code was compiled meanwhile" : "")}");
        }
    }

    /// <summary>The profile, which holds the text in memory.</summary>
    public static void Profile(string tokenizerFolder, string text, string output)
    {
        var tokenizer = (T2R.Tokenization.SentencePieceTokenizer)TokenizerFolder.Open(tokenizerFolder);
        var vocabulary = new BpeVocabulary(tokenizer.Model);
        var normalizer = new SentencePieceNormalizer(tokenizer.Model, vocabulary.UserDefined);
        ICorpus corpus = CorpusReader.Open([text]);
        string[] texts = [.. corpus.Documents().Select(d => d.Text)];
        char[] buffer = new char[texts.Max(t => t.Length) + 1];
        string[] normalized = [.. texts.Select(t => new string(buffer, 0, normalizer.Normalize(t, buffer)))];
        var ids = new List<int>();
        for (int run = 0; run < Runs; run++)
        {
            Console.WriteLine(run == 0 ? "(the code is compiled meanwhile)" : "");
            Part("hash the file, which tells whether it changed", () => FileHash.Of(text));
            Part("decompress", () =>
            {
                using var bytes = new SourceStream(text, CancellationToken.None);
                byte[] piece = new byte[1 << 16];
                while (bytes.Read(piece, 0, piece.Length) > 0)
                {
                }
            });
            Part("decompress, find the lines", () => ReadAll(corpus.Batches()));
            Part("decompress, find the lines, read the JSON", () => ReadAll(corpus.Documents()));
            Part("hash the documents, if some are held out", () => Array.ForEach(texts, t => TextHash.Of(t)));
            Part("normalise", () => Array.ForEach(texts, t => normalizer.Normalize(t, buffer)));
            Part("cut", () => Array.ForEach(normalized, t =>
            {
                for (ReadOnlySpan<char> rest = t; !rest.IsEmpty;)
                {
                    rest = rest[vocabulary.Adjacency.FirstCut(rest)..];
                }
            }));
            Part("normalise, cut, look up or merge", () => Array.ForEach(texts, t =>
            {
                ids.Clear();
                tokenizer.AppendIds(t, ids);
            }));
            ids = [.. Enumerable.Range(0, 1 << 14)];
            using (var file = File.OpenHandle(output, FileMode.Create, FileAccess.ReadWrite))
            {
                Part("write 16 M ids and flush them to the disk", () =>
                {
                    var writer = new TokenWriter(file, new TokenFileHeader(new byte[32], sizeof(ushort), 1, 0, 0, default, IsComplete: false), _ => false);
                    for (int i = 0; i < 1000; i++)
                    {
                        writer.Append(new EncodedBatch(default, 0, ids, []));
                    }

                    writer.Complete();
                });
            }

            File.Delete(output);
        }
    }

    private static (long Count, double Seconds) Build(string tokenizerFolder, string text, string output)
    {
        File.Delete(output);
        var clock = Stopwatch.StartNew();
        var tokenizer = TokenizerFolder.Open(tokenizerFolder);
        using var stream = TokenCache.Open(output, CorpusReader.Open([text]), tokenizer, "measured", tokenizer.BeginningOfSentenceId!.Value);
        TokenCache.Keep(output);
        return (stream.Count, clock.Elapsed.TotalSeconds);
    }

    private static void ReadAll<T>(IEnumerable<T> items)
    {
        foreach (T _ in items)
        {
        }
    }

    private static void Part(string name, Action work)
    {
        var clock = Stopwatch.StartNew();
        work();
        Console.WriteLine($"{name,-46} {clock.Elapsed.TotalSeconds,6:F3} s");
    }
}
