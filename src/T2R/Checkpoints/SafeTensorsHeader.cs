using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Unicode;

namespace T2R.Checkpoints;

/// <summary>
/// The JSON object at the start of a SafeTensors file: a tensor's name → dtype, shape and data_offsets [begin, end), and optionally
/// <c>__metadata__</c>, string → string. The tensors must fill the data section exactly: no overlap, no hole, nothing behind the last.
/// </summary>
/// <param name="Entries">By offset.</param>
/// <param name="Metadata">Empty if the file has none.</param>
internal sealed record SafeTensorsHeader(ImmutableArray<TensorEntry> Entries, IReadOnlyDictionary<string, string> Metadata)
{
    internal const string MetadataKey = "__metadata__";

    /// <summary>Reads and validates.</summary>
    /// <param name="path">Named in errors.</param>
    /// <param name="json">The header's bytes.</param>
    /// <param name="dataLength">Bytes that follow the header.</param>
    /// <exception cref="UserErrorException">The header breaks a rule of the format.</exception>
    internal static SafeTensorsHeader Parse(string path, ReadOnlySpan<byte> json, long dataLength)
    {
        if (!Utf8.IsValid(json))
        {
            throw new UserErrorException($"{path}: the header is not valid UTF-8; the file is damaged or not SafeTensors, fetch it again.");
        }

        try
        {
            var (entries, metadata) = Read(path, json);
            CheckLayout(path, entries, dataLength);
            return new SafeTensorsHeader(entries, metadata);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path}: the header is not valid JSON ({e.Message}); the file is damaged or not SafeTensors, fetch it again.", e);
        }
        catch (InvalidOperationException e)
        {
            // What the JSON reader says of a string that holds half a surrogate pair.
            throw new UserErrorException($"{path}: the header holds a string that is not valid text ({e.Message}); fetch the file again.", e);
        }
    }

    private static (ImmutableArray<TensorEntry> Entries, Dictionary<string, string> Metadata) Read(string path, ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new UserErrorException($"{path}: the header is a JSON {reader.TokenType}, expected an object that maps tensor names; it is not a SafeTensors file.");
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        var entries = new List<TensorEntry>();
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!names.Add(name))
            {
                throw new UserErrorException($"{path}: the header names tensor {Quoted.Text(name)} twice; write the file again.");
            }

            reader.Read();
            if (name == MetadataKey)
            {
                ReadMetadata(path, ref reader, metadata);
            }
            else
            {
                entries.Add(SafeTensorsEntryReader.Read(path, name, ref reader));
            }
        }

        // Only spaces may follow the object; the reader throws at anything else.
        reader.Read();
        entries.Sort((a, b) => (a.Offset, a.ByteCount).CompareTo((b.Offset, b.ByteCount)) is var order and not 0 ? order : string.CompareOrdinal(a.Name, b.Name));
        return ([.. entries], metadata);
    }

    private static void ReadMetadata(string path, ref Utf8JsonReader reader, Dictionary<string, string> metadata)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            return;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new UserErrorException($"{path}: {MetadataKey} is a JSON {reader.TokenType}, expected an object of strings; write the file again.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new UserErrorException($"{path}: {MetadataKey} {Quoted.Text(key)} is a JSON {reader.TokenType}, expected a string; write the file again.");
            }

            if (!metadata.TryAdd(key, reader.GetString()!))
            {
                throw new UserErrorException($"{path}: {MetadataKey} has {Quoted.Text(key)} twice; write the file again.");
            }
        }
    }

    private static void CheckLayout(string path, ImmutableArray<TensorEntry> entries, long dataLength)
    {
        long end = 0;
        foreach (TensorEntry entry in entries)
        {
            if (entry.Offset != end)
            {
                string what = entry.Offset < end ? "overlaps the tensor before it" : "leaves a gap after the tensor before it";
                throw new UserErrorException(
                    $"{path}: tensor {Quoted.Text(entry.Name)} {what}: it starts at byte {entry.Offset} of the data, expected {end}; write the file again.");
            }

            end += entry.ByteCount;
        }

        if (end > dataLength)
        {
            string first = entries.First(e => e.Offset + e.ByteCount > dataLength).Name;
            throw new UserErrorException(
                $"{path}: the file is truncated: its tensors need {end} bytes of data and {dataLength} are there (tensor {Quoted.Text(first)} is the first cut off); "
                + "the download may be incomplete, fetch the file again.");
        }

        if (end < dataLength)
        {
            throw new UserErrorException($"{path}: {dataLength - end} bytes follow the last tensor, expected none; the file is damaged, fetch it again.");
        }
    }
}
