using System.Buffers.Binary;
using System.Text.RegularExpressions;
using T2R.Checkpoints;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints.Fuzzing;

/// <summary>
/// Opens SafeTensors files that were mutated at random and reads all that they hold. Guided by outcome: an input that ends in a way not seen before, which is another
/// place in the reader, is mutated further. Throws at the first input that is neither read nor refused in words, that the reference implementation would not take
/// (<see cref="ReferenceHeader"/>), whose tensors are not exactly the file's data, or that made the reader allocate more than a multiple of the file.
/// </summary>
/// <param name="folder">Where inputs are written, best in memory; the last one is there when it throws.</param>
/// <param name="seed">Of the mutations.</param>
internal sealed partial class FileFuzzer(string folder, int seed)
{
    private const int AllowedBytes = 64 << 10, AllowedTimesFile = 64, MaxInputBytes = 4096;

    private readonly Random _random = new(seed);
    private readonly List<byte[]> _refused = [];
    private readonly List<byte[]> _opened =
    [
        RawSafeTensors.Bytes(
            """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"I64","shape":[],"data_offsets":[24,32]},"c":{"dtype":"U8","shape":[1],"data_offsets":[32,33]}}""", 33),
        RawSafeTensors.Bytes("""{"x":{"data_offsets":[0,0],"dtype":"F8_E5M2","shape":[0,7]},"y":{"dtype":"BF16","data_offsets":[0,8],"shape":[2,1,2]}}  """, 8),
        RawSafeTensors.Bytes("{}", 0),
    ];

    /// <summary>Inputs tried.</summary>
    public long Tried { get; private set; }

    /// <summary>Inputs that opened.</summary>
    public long Opened { get; private set; }

    /// <summary>Inputs that were refused and that the reference implementation takes, by what was said.</summary>
    public SortedDictionary<string, long> Stricter { get; } = new(StringComparer.Ordinal);

    /// <summary>Ways in which inputs ended.</summary>
    public HashSet<string> Outcomes { get; } = new(StringComparer.Ordinal);

    /// <summary>The most managed memory that one input took, in bytes.</summary>
    public long LargestAllocation { get; private set; }

    /// <summary>Tries one input.</summary>
    public void Step()
    {
        byte[] input = FileMutations.Mutate(_random, Earlier(), Earlier());
        string path = Path.Combine(folder, "input.safetensors");
        File.Delete(path); // a file that is cut to nothing and written anew makes ext4 wait for the disk
        File.WriteAllBytes(path, input);
        long before = GC.GetAllocatedBytesForCurrentThread();
        string outcome = Open(path, DataLength(input), out bool opened);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        bool reference = ReferenceHeader.Takes(input);
        if (opened && !reference)
        {
            throw new InvalidOperationException($"{path} was read, and the reference implementation refuses it");
        }

        if (allocated > AllowedBytes + ((long)AllowedTimesFile * input.Length))
        {
            throw new InvalidOperationException($"{path}: {allocated} bytes were allocated for a file of {input.Length}");
        }

        Tried++;
        Opened += opened ? 1 : 0;
        LargestAllocation = Math.Max(LargestAllocation, allocated);
        if (reference && !opened)
        {
            Stricter[outcome] = Stricter.GetValueOrDefault(outcome) + 1;
        }

        if (Outcomes.Add(outcome) && input.Length <= MaxInputBytes)
        {
            (opened ? _opened : _refused).Add(input);
        }
    }

    // What is wrong already is mostly refused for the same reason again.
    private byte[] Earlier()
    {
        var inputs = _refused.Count > 0 && _random.Next(4) == 0 ? _refused : _opened;
        return inputs[_random.Next(inputs.Count)];
    }

    // What the first eight bytes leave of the file behind them and the header.
    private static long DataLength(byte[] input) => input.Length < 8 ? -1 : (long)(input.Length - 8 - (Int128)BinaryPrimitives.ReadUInt64LittleEndian(input));

    private static string Open(string path, long dataLength, out bool opened)
    {
        opened = false;
        try
        {
            using var scope = NewDisposeScope();
            using var file = SafeTensorsFile.Open(path);
            long end = 0;
            foreach (TensorEntry entry in file.Entries)
            {
                Tensor tensor = file.Read(entry.Name);
                if (entry.Offset != end || !tensor.shape.AsSpan().SequenceEqual(entry.Shape.AsSpan()) || tensor.numel() * tensor.element_size() != entry.ByteCount)
                {
                    throw new InvalidOperationException($"{path}: tensor '{entry.Name}' is not what its entry says");
                }

                end += entry.ByteCount;
            }

            opened = end == dataLength ? true : throw new InvalidOperationException($"{path}: tensors of {end} bytes, and the file has {dataLength} behind its header");
            return $"{file.Entries.Length} tensors of {file.Entries.Select(e => e.Dtype).Distinct().Count()} types, {file.Metadata.Count} strings";
        }
        catch (UserErrorException e) when (e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            return Varying().Replace(e.Message[path.Length..], "…");
        }
    }

    // Names, numbers and the JSON reader's own words, of which each input has others.
    [GeneratedRegex(@"'.*'|\(.*\)|\[.*?\]|\d+", RegexOptions.Singleline)]
    private static partial Regex Varying();
}
