using Parquet;
using Parquet.Meta;
using Parquet.Schema;

namespace T2R.Data;

/// <summary>A Parquet file: each row is a document, in one of the file's columns. A row group is in memory as a whole, a column of it alone.</summary>
internal static class ParquetRows
{
    private const int BatchBytes = 1 << 16;

    private const int NoSystemError = unchecked((int)0x80131620);

    private static readonly TimeSpan LongestOpening = TimeSpan.FromSeconds(30);

    /// <summary>Reads rows.</summary>
    /// <param name="path">The file.</param>
    /// <param name="column">The column that holds the text: a column of strings, or of bytes that are UTF-8.</param>
    /// <param name="from">How many rows to pass over.</param>
    public static IEnumerable<FileBatch> Batches(string path, string column, long from)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        foreach (FileBatch batch in Batches(file, path, column, from))
        {
            yield return batch;
        }
    }

    /// <summary>Likewise, from a file that is open.</summary>
    /// <exception cref="IOException">The disk fails, which says nothing of the file.</exception>
    internal static IEnumerable<FileBatch> Batches(Stream file, string path, string column, long from)
    {
        ParquetReader reader = Guarded(path, () => Open(file));
        try
        {
            (DataField field, ParquetRowGroupReader[] groups, long all) = Guarded(path, () => Contents(reader, path, column));
            long before = 0;
            for (int group = 0; group < groups.Length; group++)
            {
                long end = before + groups[group].RowCount;
                if (end > from)
                {
                    foreach (FileBatch batch in Batches(groups[group], field, group, path, before, from))
                    {
                        yield return batch with { FileBytesRead = (long)((double)batch.NextRecord / all * file.Length) };
                    }
                }

                before = end;
            }
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    // Parquet.Net 6.1.0 reads on for ever behind the end of some damaged footers, and heeds no cancellation meanwhile.
    private static ParquetReader Open(Stream file)
    {
        Task<ParquetReader> opening = Task.Run(() => ParquetReader.CreateAsync(file));
        return Task.WaitAny([opening], LongestOpening) == 0
            ? opening.GetAwaiter().GetResult()
            : throw new InvalidDataException($"its footer was not understood within {LongestOpening.TotalSeconds:F0} s");
    }

    // The library has no exception of its own for what is no Parquet.
    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not UserErrorException && IsDamage(e))
        {
            throw new UserErrorException($"{path}: not a whole Parquet file ({e.Message.TrimEnd('.')}); fetch the file again, or mend its name if it is something else.", e);
        }
    }

    // A disk that fails and memory that is missing are no damage: the next reading may find the rows whole. The library's own IOException has no error number of the system.
    private static bool IsDamage(Exception e) => e is EndOfStreamException or IOException { HResult: NoSystemError } or not (IOException or OutOfMemoryException);

    private static (DataField Field, ParquetRowGroupReader[] Groups, long Rows) Contents(ParquetReader reader, string path, string column)
    {
        DataField field = Field(reader.Schema, path, column);
        ParquetRowGroupReader[] groups = [.. Enumerable.Range(0, reader.RowGroupCount).Select(reader.OpenRowGroupReader)];
        for (int group = 0; group < groups.Length; group++)
        {
            if (groups[group].RowCount is var rows && (rows < 0 || rows > Array.MaxLength))
            {
                throw new InvalidDataException($"row group {group} has {rows} rows");
            }

            // Parquet.Net 6.1.0 reads other text from it than was written, without a word.
            if (groups[group].GetMetadata(field)?.MetaData?.Encodings.Contains(Encoding.DELTA_BYTE_ARRAY) == true)
            {
                throw new UserErrorException($"{path}, row group {group}: the column \"{column}\" is encoded as DELTA_BYTE_ARRAY, which cannot be read; write the file anew with another encoding, such as PLAIN.");
            }
        }

        return (field, groups, Math.Max(1, groups.Sum(g => g.RowCount)));
    }

    private static DataField Field(ParquetSchema schema, string path, string column)
    {
        if (schema.Fields.FirstOrDefault(f => f.Name == column) is not { } found)
        {
            throw new UserErrorException($"{path}: the column \"{column}\" is missing (found {string.Join(", ", schema.Fields.Select(f => $"\"{f.Name}\""))}); name the field that holds the text.");
        }

        return found is DataField { IsArray: false } field && (IsText(field) || IsBytes(field))
            ? field
            : throw new UserErrorException($"{path}: the column \"{column}\" holds {(found is DataField d ? d.ClrType.Name : $"a {found.GetType().Name}")}, expected strings; name the field that holds the text.");
    }

    private static IEnumerable<FileBatch> Batches(ParquetRowGroupReader rows, DataField field, int group, string path, long before, long from)
    {
        object?[] texts;
        CorpusRecord? damage = null;
        try
        {
            texts = Texts(rows, field);
        }
        catch (Exception e) when (IsDamage(e))
        {
            // Of whatever kind: what the library throws for damaged pages it leaves to chance.
            string where = $"{path}, row group {group} (rows {before + 1} to {before + rows.RowCount})";
            damage = new CorpusRecord(null, new UserErrorException($"{where}: the column \"{field.Name}\" cannot be read ({e.Message.TrimEnd('.')}); fetch the file again.", e));
            texts = [];
        }

        if (damage is { } one)
        {
            yield return new FileBatch(before + rows.RowCount, 0, 0, [one]);
        }

        for (int first = (int)Math.Clamp(from - before, 0, texts.Length), next = first; first < texts.Length; first = next)
        {
            long bytes = 0;
            while (next < texts.Length && bytes < BatchBytes)
            {
                bytes += texts[next++] switch { string text => text.Length * (long)sizeof(char), byte[] text => text.Length, _ => 0 };
            }

            yield return new FileBatch(before + next, 0, bytes, Records(texts, first, next, path, field.Name, before));
        }
    }

    private static IEnumerable<CorpusRecord> Records(object?[] texts, int first, int end, string path, string column, long before)
    {
        for (int i = first; i < end; i++)
        {
            long row = before + i + 1;
            object? text = texts[i];
            yield return CorpusRecord.Of($"{path}:{row}", () => Text(text, $"{path}, row {row}: the column \"{column}\""));
        }
    }

    private static string Text(object? text, string where)
    {
        try
        {
            return text as string ?? TextReading.Strict.GetString(text as byte[] ?? throw new UserErrorException($"{where} is null, expected a string."));
        }
        catch (System.Text.DecoderFallbackException e)
        {
            throw new UserErrorException($"{where} is not valid UTF-8: byte {e.Index} is 0x{((byte[])text!)[e.Index]:X2}; write the row anew as UTF-8.", e);
        }
    }

    // Strings, or bytes that a row alone answers for. Of a column of strings Parquet.Net has decoded them, with U+FFFD for what is not UTF-8.
    private static object?[] Texts(ParquetRowGroupReader rows, DataField field)
    {
        if (IsText(field))
        {
            string?[] texts = new string?[rows.RowCount];
            rows.ReadAsync(field, texts.AsMemory()!).AsTask().GetAwaiter().GetResult();
            return texts;
        }

        byte[]?[] bytes = new byte[]?[rows.RowCount];
        rows.ReadAsync(field, bytes.AsMemory()!).AsTask().GetAwaiter().GetResult();
        return bytes;
    }

    private static bool IsText(DataField field) => field.ClrType == typeof(string) || field.ClrType == typeof(ReadOnlyMemory<char>);

    private static bool IsBytes(DataField field) => field.ClrType == typeof(byte[]) || field.ClrType == typeof(ReadOnlyMemory<byte>);
}
