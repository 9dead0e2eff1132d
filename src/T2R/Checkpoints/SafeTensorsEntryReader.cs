using System.Collections.Immutable;
using System.Text.Json;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>Reads one tensor's description in a SafeTensors header: exactly dtype, shape and data_offsets, each once, in agreement.</summary>
internal static class SafeTensorsEntryReader
{
    // torch's iterators know no more.
    private const int MaxDimensions = 64;

    /// <summary>Reads the value that the reader stands on.</summary>
    /// <exception cref="UserErrorException">It is not a valid description; the message names file and tensor.</exception>
    internal static TensorEntry Read(string path, string name, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Refuse(path, name, $"is described by a JSON {reader.TokenType}, expected an object with dtype, shape and data_offsets");
        }

        ScalarType? dtype = null;
        ImmutableArray<long>? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype" when dtype is null:
                    dtype = ReadDtype(path, name, ref reader);
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(path, name, key, MaxDimensions, ref reader);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadIntegers(path, name, key, 2, ref reader);
                    break;
                default:
                    throw Refuse(path, name, $"has {Quoted.Text(key)} in its description, expected dtype, shape and data_offsets, each once");
            }
        }

        if (dtype is null || shape is null || offsets is not [var begin, var end])
        {
            throw Refuse(path, name, "lacks dtype, shape or a pair of data_offsets in its description");
        }

        if (begin > end)
        {
            throw Refuse(path, name, $"has data_offsets [{begin},{end}], expected the first not to be above the second");
        }

        if (Product(shape.Value, ElementType.Size(dtype.Value)) is not { } size)
        {
            throw Refuse(path, name, $"has shape [{string.Join(',', shape)}], whose size overflows");
        }

        if (end - begin != size)
        {
            throw Refuse(
                path, name, $"has {end - begin} bytes by its data_offsets, expected {size} for {ElementType.Name(dtype.Value)} [{string.Join(',', shape)}]");
        }

        return new TensorEntry(name, dtype.Value, shape.Value, begin, size);
    }

    private static ScalarType ReadDtype(string path, string name, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw Refuse(path, name, $"has a JSON {reader.TokenType} as dtype, expected a string");
        }

        string dtype = reader.GetString()!;
        return ElementType.Parse(dtype) ?? throw new UserErrorException(
            $"{path}: tensor {Quoted.Text(name)} has dtype {Quoted.Text(dtype)}, which is not supported; convert the checkpoint to one of {ElementType.Names}.");
    }

    private static ImmutableArray<long> ReadIntegers(string path, string name, string key, int most, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Refuse(path, name, $"has a JSON {reader.TokenType} as {key}, expected an array");
        }

        var values = ImmutableArray.CreateBuilder<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (values.Count == most)
            {
                throw Refuse(path, name, $"has more than {most} numbers in its {key}");
            }

            // The format has no -0 either.
            if (reader.TokenType != JsonTokenType.Number || reader.ValueSpan[0] == '-' || !reader.TryGetInt64(out long value))
            {
                throw Refuse(path, name, $"has something else than a non-negative integer in its {key}");
            }

            values.Add(value);
        }

        return values.ToImmutable();
    }

    // A size of 0 does not excuse the others: torch multiplies them too, for the strides.
    private static long? Product(ImmutableArray<long> shape, long elementSize)
    {
        Int128 product = elementSize;
        foreach (long size in shape)
        {
            product *= Math.Max(size, 1);
            if (product > long.MaxValue)
            {
                return null;
            }
        }

        return shape.Contains(0) ? 0 : (long)product;
    }

    private static UserErrorException Refuse(string path, string name, string what) =>
        new($"{path}: tensor {Quoted.Text(name)} {what}; the file is damaged or was written wrongly, fetch or write it again.");
}
