using System.Buffers.Binary;
using System.Numerics;
using System.Text.Json;
using System.Text.Unicode;

namespace T2R.Tests.Checkpoints.Fuzzing;

/// <summary>
/// Whether the reference implementation (Rust's safetensors, tensor.rs, read_metadata and validate) would take a file: its rules put down plainly, in another way
/// than the reader's. A key that a description does not have is passed over, and of a name that stands twice the last counts.
/// </summary>
internal static class ReferenceHeader
{
    private static readonly Dictionary<string, int> Bits = new()
    {
        ["BOOL"] = 8, ["F4"] = 4, ["F6_E2M3"] = 6, ["F6_E3M2"] = 6, ["U8"] = 8, ["I8"] = 8, ["F8_E5M2"] = 8, ["F8_E4M3"] = 8, ["F8_E8M0"] = 8, ["F8_E4M3FNUZ"] = 8,
        ["F8_E5M2FNUZ"] = 8, ["I16"] = 16, ["U16"] = 16, ["F16"] = 16, ["BF16"] = 16, ["I32"] = 32, ["U32"] = 32, ["F32"] = 32, ["C64"] = 64, ["F64"] = 64, ["I64"] = 64,
        ["U64"] = 64,
    };

    public static bool Takes(byte[] file)
    {
        if (file.Length < 8 || BinaryPrimitives.ReadUInt64LittleEndian(file) is var length && (length > 100_000_000 || length > (ulong)file.Length - 8))
        {
            return false;
        }

        var json = file.AsMemory(8, (int)length);
        try
        {
            if (!Utf8.IsValid(json.Span))
            {
                return false;
            }

            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object && Holds(document.RootElement, file.Length - 8 - (int)length);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static bool Holds(JsonElement header, int dataLength)
    {
        var tensors = new Dictionary<string, (BigInteger Begin, BigInteger End)>();
        bool hasMetadata = false;
        foreach (var pair in header.EnumerateObject())
        {
            if (pair.Name == "__metadata__")
            {
                bool isMap = pair.Value.ValueKind == JsonValueKind.Object && pair.Value.EnumerateObject().All(p => p.Name is not null && p.Value.ValueKind == JsonValueKind.String && p.Value.GetString() is not null);
                if (hasMetadata || !(isMap || pair.Value.ValueKind == JsonValueKind.Null))
                {
                    return false;
                }

                hasMetadata = true;
            }
            else if (Tensor(pair.Value) is { } range)
            {
                tensors[pair.Name] = range;
            }
            else
            {
                return false;
            }
        }

        BigInteger next = 0;
        foreach (var (begin, end) in tensors.Values.Order())
        {
            if (begin != next)
            {
                return false;
            }

            next = end;
        }

        return next == dataLength;
    }

    // Where its bytes lie; null when they are not as many as dtype and shape say, or when it is no description.
    private static (BigInteger Begin, BigInteger End)? Tensor(JsonElement description)
    {
        if (description.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        var fields = description.EnumerateObject().ToLookup(p => p.Name, p => p.Value);
        if (((string[])["dtype", "shape", "data_offsets"]).Any(key => fields[key].Count() != 1)
            || fields["dtype"].Single() is not { ValueKind: JsonValueKind.String } dtype || !Bits.TryGetValue(dtype.GetString()!, out int bits)
            || Numbers(fields["shape"].Single()) is not { } shape || Numbers(fields["data_offsets"].Single()) is not [var begin, var end])
        {
            return null;
        }

        BigInteger size = bits;
        foreach (ulong dimension in Enumerable.Reverse(shape))
        {
            size *= dimension;
        }

        return size <= ulong.MaxValue && size % 8 == 0 && new BigInteger(end) - begin == size / 8 ? (begin, end) : null;
    }

    private static List<ulong>? Numbers(JsonElement array)
    {
        var numbers = new List<ulong>();
        foreach (var element in array.ValueKind == JsonValueKind.Array ? array.EnumerateArray() : [])
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetUInt64(out ulong number) || element.GetRawText()[0] == '-')
            {
                return null;
            }

            numbers.Add(number);
        }

        return array.ValueKind == JsonValueKind.Array ? numbers : null;
    }
}
