namespace T2R.Interop;

/// <summary>Files of the program's cache, which several processes may write at once.</summary>
internal static class CachedFile
{
    /// <summary>Writes aside and renames, so that every process sees a whole file or none; makes the folder.</summary>
    /// <param name="target">The file; replaced if it is there.</param>
    /// <param name="parts">Its content, one after another.</param>
    /// <exception cref="IOException">The disk refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public static void Write(string target, params ReadOnlySpan<byte[]> parts)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        string aside = $"{target}.{Path.GetRandomFileName()}";
        try
        {
            using (var stream = new FileStream(aside, FileMode.CreateNew, FileAccess.Write))
            {
                foreach (byte[] part in parts)
                {
                    stream.Write(part);
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(aside, target, overwrite: true);
        }
        finally
        {
            File.Delete(aside);
        }
    }
}
