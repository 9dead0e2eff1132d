using System.Buffers.Binary;
using System.Text;

namespace T2R.Tests.Checkpoints.Fuzzing;

/// <summary>Changes to a SafeTensors file: to its bytes, to the pieces its header is made of, to its lengths.</summary>
internal static class FileMutations
{
    // What a header is made of, and what it must not be made of.
    private static readonly byte[][] Pieces =
    [
        .. new[]
        {
            "{", "}", "[", "]", ",", ":", "\"", "0", "1", "8", "24", "32", "33", "-1", "-0", "1.5", "1e3", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808",
            "18446744073709551615", "18446744073709551616", "null", "true", "\"a\"", "\"b\"", "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"F64\"", "\"F32\"",
            "\"F8_E4M3\"", "\"F4\"", "\"U64\"", "\"BF16\"", "\"BOOL\"", "\\ud800", "\\ud83d\\ude00", "\\u0000", "\\\"", "[]", "{}", "[0,0]", "[0]", "[1,1,1]", " ", "\n", "\u00e9",
            ",\"d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", "\"e\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[33,35]},",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    private static readonly ulong[] Lengths = [0, 1, 7, 100_000_000, 100_000_001, int.MaxValue, long.MaxValue, ulong.MaxValue];

    /// <summary>A file with a few changes; the header's length follows the header unless that is what was changed.</summary>
    public static byte[] Mutate(Random random, byte[] file, byte[] other)
    {
        int headerLength = (int)Math.Clamp(file.Length >= 8 ? BinaryPrimitives.ReadInt64LittleEndian(file) : 0, 0, Math.Max(0, file.Length - 8));
        List<byte> header = file.Length < 8 ? [] : [.. file.AsSpan(8, headerLength)];
        byte[] data = file.Length < 8 ? file : file[(8 + headerLength)..];
        ulong? length = null;
        for (int changes = Math.Max(1, random.Next(-3, 4)); changes > 0; changes--)
        {
            int at = random.Next(header.Count + 1), count = Math.Min(random.Next(12), header.Count - at);
            switch (random.Next(10))
            {
                case 0 when at < header.Count:
                    header[at] = (byte)random.Next(256);
                    break;
                case 1 when at < header.Count:
                    header[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    header.RemoveRange(at, count);
                    break;
                case 3:
                    header.InsertRange(at, Pieces[random.Next(Pieces.Length)]);
                    break;
                case 4:
                    header.RemoveRange(at, count);
                    header.InsertRange(at, Pieces[random.Next(Pieces.Length)]);
                    break;
                case 5:
                    ReplaceNumber(random, header, at);
                    break;
                case 6:
                    header.InsertRange(random.Next(header.Count + 1), header.GetRange(at, Math.Min(random.Next(100), header.Count - at)));
                    break;
                case 7 when other.Length > 8:
                    int from = random.Next(8, other.Length);
                    header.InsertRange(at, other[from..Math.Min(other.Length, from + random.Next(80))]);
                    break;
                case 8:
                    data = random.Next(2) == 0 ? data[..random.Next(data.Length + 1)] : [.. data, .. new byte[random.Next(64)]];
                    break;
                default:
                    length = random.Next(3) == 0 ? Lengths[random.Next(Lengths.Length)] : (ulong)Math.Max(0, header.Count + random.Next(-9, 10));
                    break;
            }
        }

        byte[] start = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(start, length ?? (ulong)header.Count);
        byte[] mutated = [.. start, .. header, .. data];
        return random.Next(50) == 0 ? mutated[..random.Next(mutated.Length)] : mutated;
    }

    // A number of the header becomes one near it or a far one.
    private static void ReplaceNumber(Random random, List<byte> header, int at)
    {
        int first = header.FindIndex(at, b => b is >= (byte)'0' and <= (byte)'9');
        if (first < 0)
        {
            return;
        }

        int end = first;
        while (end < header.Count && header[end] is >= (byte)'0' and <= (byte)'9')
        {
            end++;
        }

        bool fits = ulong.TryParse(Encoding.ASCII.GetString([.. header.GetRange(first, end - first)]), out ulong number);
        ulong next = !fits || random.Next(3) == 0 ? (1UL << random.Next(64)) - (ulong)random.Next(2) : unchecked(number + (ulong)random.Next(-8, 9));
        header.RemoveRange(first, end - first);
        header.InsertRange(first, Encoding.ASCII.GetBytes(next.ToString()));
    }
}
