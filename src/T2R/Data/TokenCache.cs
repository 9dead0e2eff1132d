using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.Tokenizers;
using Microsoft.Win32.SafeHandles;
using T2R.Checkpoints;
using T2R.Interop;

namespace T2R.Data;

/// <summary>
/// Keeps a tokenized corpus in a file, so that resuming a run does not tokenize again. While it is made, it lies beside as <c>.part</c>: after a kill the same call goes
/// on from its last whole part. The file is <see cref="TokenFileHeader"/> and the ids, little-endian.
/// </summary>
public static class TokenCache
{
    /// <summary>
    /// Opens the file if it was made from this corpus with this tokenizer; else tokenizes, beside what lies there, which is as it was until <see cref="Keep"/>.
    /// </summary>
    /// <param name="path">The file; its folder is made if need be.</param>
    /// <param name="corpus">The documents.</param>
    /// <param name="tokenizer">Must be safe for several threads and add no special ids by itself.</param>
    /// <param name="tokenizerHash">Tells this tokenizer from others: a hash of its file.</param>
    /// <param name="beginId">The beginning-of-sequence id.</param>
    /// <param name="work">How to tokenize, if it is needed.</param>
    /// <returns>The stream; the caller disposes it.</returns>
    /// <exception cref="UserErrorException">A source file cannot be read, more records are damaged than may be, or the corpus holds no document.</exception>
    /// <exception cref="IOException">The disk is full or fails, or another process is making the file.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped; the same call goes on with it.</exception>
    public static TokenStream Open(string path, ICorpus corpus, Tokenizer tokenizer, string tokenizerHash, int beginId, TokenizingOptions? work = null)
    {
        work ??= new TokenizingOptions();
        byte[] key = SHA256.HashData(Encoding.UTF8.GetBytes($"{corpus.Fingerprint(work.Progress, work.Cancellation)}\n{tokenizerHash}\n{beginId}"));
        string part = PartOf(path);
        if (TryOpen(path, corpus.Name, key, work.DamagedLimit, work.Warn) is { } kept)
        {
            File.Delete(part);
            return kept;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using (SafeFileHandle file = File.OpenHandle(part, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            Fill(file);
        }

        return TryOpen(part, corpus.Name, key, work.DamagedLimit, warn: null) ?? throw new IOException($"{part} is not what was written into it: the disk fails, or something else writes there.");

        void Fill(SafeFileHandle file)
        {
            try
            {
                TokenFile.Fill(file, key, corpus, tokenizer, beginId, work);
            }
            catch (IOException e) when (DiskFull.Means(e))
            {
                throw new IOException($"The disk is full: {path} could not be written. What was tokenized is kept; free some space, and the same command goes on from there.", e);
            }
            catch (TextChangedException)
            {
                File.Delete(part);
                throw;
            }
            finally
            {
                if (TokenFileHeader.Read(file) is null or { Count: 0 })
                {
                    File.Delete(part);
                }
            }
        }
    }

    /// <summary>Puts a file that <see cref="Open"/> made under its own name, over what lay there; does nothing if that was the right one.</summary>
    /// <param name="path">As given to <see cref="Open"/>.</param>
    public static void Keep(string path)
    {
        if (File.Exists(PartOf(path)))
        {
            Posix.Move(PartOf(path), path);
            Posix.Sync(Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
    }

    /// <summary>Removes a file that <see cref="Open"/> made and that is not to be kept.</summary>
    /// <param name="path">As given to <see cref="Open"/>.</param>
    public static void Discard(string path) => File.Delete(PartOf(path));

    /// <summary>Removes the files beside those of a call of <see cref="Keep"/> that earlier calls kept or began, of sources that are no more.</summary>
    /// <param name="paths">All that are still used, of one folder.</param>
    internal static void RemoveOthers(IReadOnlyCollection<string> paths)
    {
        HashSet<string> used = [.. paths.Select(Path.GetFullPath)];
        string extension = Path.GetExtension(paths.First());
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(used.First())!))
        {
            if ((file.EndsWith(extension, StringComparison.Ordinal) || file.EndsWith(PartOf(extension), StringComparison.Ordinal)) && !used.Contains(file))
            {
                File.Delete(file);
            }
        }
    }

    private static string PartOf(string path) => path + ".part";

    private static TokenStream? TryOpen(string path, string name, byte[] key, long damagedLimit, Action<string>? warn)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        SafeFileHandle file = File.OpenHandle(path);
        if (TokenFileHeader.Read(file) is not { IsComplete: true } header || !header.Key.AsSpan().SequenceEqual(key) || header.Damaged > damagedLimit)
        {
            file.Dispose();
            return null;
        }

        if (header.Damaged > 0)
        {
            warn?.Invoke($"{path} holds the text without its damaged records ({header.Damaged}), which were passed over when it was made.");
        }

        return new TokenStream(file, path, TokenFileHeader.Bytes, header.BytesPerId, header.Count, header.BeginId) { Name = name };
    }
}
