using Parquet;
using Parquet.Meta;
using Parquet.Schema;

namespace T2R.Data;

/// <summary>A Parquet file: each row is a document, in one of the file's columns. A row group is in memory as a whole, a column of it alone.</summary>
internal static class ParquetRows
{
    private const int BatchCharacters = 1 << 15;

    /// <summary>Reads rows.</summary>
    /// <param name="path">The file.</param>
    /// <param name="column">The column that holds the text: a column of strings, or of bytes that are UTF-8.</param>
    /// <param name="from">How many rows to pass over.</param>
    public static IEnumerable<FileBatch> Batches(string path, string column, long from)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        ParquetReader reader = Open(file, path);
        try
        {
            DataField field = Field(reader.Schema, path, column);
            long before = 0, all = Math.Max(1, Enumerable.Range(0, reader.RowGroupCount).Sum(g => reader.OpenRowGroupReader(g).RowCount));
            for (int group = 0; group < reader.RowGroupCount; group++)
            {
                using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
                long end = before + rows.RowCount;
                if (end > from)
                {
                    RefuseFrontCoding(rows, field, group, path);
                    foreach (FileBatch batch in Batches(rows, field, group, path, before, from))
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

    private static ParquetReader Open(FileStream file, string path)
    {
        try
        {
            return ParquetReader.CreateAsync(file).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The library has no exception of its own for what is no Parquet.
            throw new UserErrorException($"{path}: not a whole Parquet file ({e.Message.TrimEnd('.')}); fetch the file again, or mend its name if it is something else.", e);
        }
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

    // Parquet.Net 6.1.0 reads other text from it than was written, without a word.
    private static void RefuseFrontCoding(ParquetRowGroupReader rows, DataField field, int group, string path)
    {
        if (rows.GetMetadata(field)?.MetaData?.Encodings.Contains(Encoding.DELTA_BYTE_ARRAY) == true)
        {
            throw new UserErrorException($"{path}, row group {group}: the column \"{field.Name}\" is encoded as DELTA_BYTE_ARRAY, which cannot be read; write the file anew with another encoding, such as PLAIN.");
        }
    }

    private static IEnumerable<FileBatch> Batches(ParquetRowGroupReader rows, DataField field, int group, string path, long before, long from)
    {
        string?[] texts;
        CorpusRecord? damage = null;
        try
        {
            texts = Texts(rows, field);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
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
            long characters = 0;
            while (next < texts.Length && characters < BatchCharacters)
            {
                characters += texts[next++]?.Length ?? 0;
            }

            yield return new FileBatch(before + next, 0, characters * sizeof(char), Records(texts, first, next, path, field.Name, before));
        }
    }

    private static IEnumerable<CorpusRecord> Records(string?[] texts, int first, int end, string path, string column, long before)
    {
        for (int i = first; i < end; i++)
        {
            long row = before + i + 1;
            yield return texts[i] is { } text
                ? new CorpusRecord(new Document(text, $"{path}:{row}"), null)
                : new CorpusRecord(null, new UserErrorException($"{path}, row {row}: the column \"{column}\" is null, expected a string."));
        }
    }

    private static string?[] Texts(ParquetRowGroupReader rows, DataField field)
    {
        if (IsText(field))
        {
            string?[] texts = new string?[rows.RowCount];
            rows.ReadAsync(field, texts.AsMemory()!).AsTask().GetAwaiter().GetResult();
            return texts;
        }

        byte[]?[] bytes = new byte[]?[rows.RowCount];
        rows.ReadAsync(field, bytes.AsMemory()!).AsTask().GetAwaiter().GetResult();
        var strict = new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
        return [.. bytes.Select(b => b is null ? null : strict.GetString(b))];
    }

    private static bool IsText(DataField field) => field.ClrType == typeof(string) || field.ClrType == typeof(ReadOnlyMemory<char>);

    private static bool IsBytes(DataField field) => field.ClrType == typeof(byte[]) || field.ClrType == typeof(ReadOnlyMemory<byte>);
}
