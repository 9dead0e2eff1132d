using Parquet;
using Parquet.Meta;
using Parquet.Schema;

namespace T2R.Data;

/// <summary>A Parquet file: each row is a document, in one of the file's columns. A row group is in memory as a whole, a column of it alone.</summary>
internal static class ParquetRows
{
    private const int BatchCharacters = 1 << 15;

    private static readonly TimeSpan LongestOpening = TimeSpan.FromSeconds(30);

    /// <summary>Reads rows.</summary>
    /// <param name="path">The file.</param>
    /// <param name="column">The column that holds the text: a column of strings, or of bytes that are UTF-8.</param>
    /// <param name="from">How many rows to pass over.</param>
    public static IEnumerable<FileBatch> Batches(string path, string column, long from)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
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
    private static ParquetReader Open(FileStream file)
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
        catch (Exception e) when (e is not UserErrorException)
        {
            throw new UserErrorException($"{path}: not a whole Parquet file ({e.Message.TrimEnd('.')}); fetch the file again, or mend its name if it is something else.", e);
        }
    }

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
        string?[] texts;
        CorpusRecord? damage = null;
        try
        {
            texts = Texts(rows, field);
        }
        catch (Exception e)
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
