using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using T2R.Checkpoints;
using T2R.Generation.Decoding;
using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Generation;

/// <summary>
/// Sequences' states on disk: SafeTensors files with fp32 <c>layers.N.keys</c> [Hkv, K, M] and <c>layers.N.values</c> [Hkv, M, V], I32 <c>unread</c> and <c>seen</c>, and what tells
/// whose they are. Reading and writing need no libtorch.
/// </summary>
public static class StateFile
{
    private const string Format = "t2r sequence state";

    /// <summary>Writes a state; the file appears whole or not at all.</summary>
    /// <param name="path">The file; replaced if it is there.</param>
    /// <param name="state">The state.</param>
    /// <param name="config">Its model's shape.</param>
    /// <exception cref="UserErrorException">The folder is missing, or the path is a folder.</exception>
    /// <exception cref="IOException">The disk is full or fails; the file is as it was.</exception>
    public static void Write(string path, SequenceState state, ModelConfig config) => AtomicFile.Write(path, stream =>
    {
        var metadata = new Dictionary<string, string>
        {
            ["format"] = Format,
            ["t2r_version"] = typeof(StateFile).Assembly.GetName().Version!.ToString(3),
            ["fingerprint"] = state.Fingerprint,
            ["length"] = $"{state.Memory.Length}",
            ["draws"] = $"{state.Draws}",
        };
        var plan = Slots(config).Append(Ids("unread", state.Unread.Count)).Append(Ids("seen", state.Seen.Count));
        var writer = new SafeTensorsWriter(stream, plan, metadata);
        for (int i = 0; i < config.Layers; i++)
        {
            writer.Write(Keys(i), MemoryMarshal.AsBytes(state.Memory.Keys[i].AsSpan()));
            writer.Write(Values(i), MemoryMarshal.AsBytes(state.Memory.Values[i].AsSpan()));
        }

        writer.Write("unread", MemoryMarshal.AsBytes(state.Unread.ToArray().AsSpan()));
        writer.Write("seen", MemoryMarshal.AsBytes(state.Seen.ToArray().AsSpan()));
        writer.Finish();
    });

    /// <summary>Reads a state.</summary>
    /// <param name="path">The file.</param>
    /// <param name="config">The shape of the model that is to go on with it.</param>
    /// <param name="fingerprint">That model's.</param>
    /// <exception cref="UserErrorException">The file is missing, damaged, no state, or another model's.</exception>
    public static SequenceState Read(string path, ModelConfig config, string fingerprint)
    {
        using var file = SafeTensorsFile.Open(path);
        if (file.Metadata.GetValueOrDefault("format") != Format)
        {
            throw new UserErrorException($"{path}: this is no sequence's state; expected a file that `t2r generate --save-state` wrote.");
        }

        if (file.Metadata.GetValueOrDefault("fingerprint") is var theirs && theirs != fingerprint)
        {
            throw new UserErrorException($"{path}: the state is of the model with the fingerprint {theirs}; this one has {fingerprint}. Go on with the model that it was saved from.");
        }

        var problems = new Problems();
        foreach (var spec in Slots(config))
        {
            if (!file.Contains(spec.Name) || file[spec.Name].Dtype != spec.Dtype || !file[spec.Name].Shape.SequenceEqual(spec.Shape))
            {
                problems.Add($"{path}: there is no float32 tensor '{spec.Name}' [{string.Join(", ", spec.Shape)}] in it; the file is damaged.");
            }
        }

        int[] unread = ReadIds(file, "unread", config.VocabularySize, problems), seen = ReadIds(file, "seen", config.VocabularySize, problems);
        long length = ReadCount(file, "length", problems), draws = ReadCount(file, "draws", problems);
        problems.ThrowIfAny();
        return new SequenceState(
            fingerprint,
            new SlotState(length, [.. Numbers(file, Keys, config.Layers)], [.. Numbers(file, Values, config.Layers)]),
            unread,
            draws,
            seen);
    }

    private static string Keys(int layer) => $"layers.{layer}.keys";

    private static string Values(int layer) => $"layers.{layer}.values";

    private static TensorSpec Ids(string name, int count) => new(name, ScalarType.Int32, [count]);

    private static IEnumerable<TensorSpec> Slots(ModelConfig config) => config.Mixers.Cast<GatedSlotAttentionConfig>().SelectMany((mixer, i) => new TensorSpec[]
    {
        new(Keys(i), ScalarType.Float32, [mixer.KeyValueHeads, mixer.HeadDim, mixer.Slots]),
        new(Values(i), ScalarType.Float32, [mixer.KeyValueHeads, mixer.Slots, mixer.HeadDim]),
    });

    private static IEnumerable<float[]> Numbers(SafeTensorsFile file, Func<int, string> name, int layers) =>
        Enumerable.Range(0, layers).Select(i => MemoryMarshal.Cast<byte, float>(file.ReadBytes(name(i)).AsSpan()).ToArray());

    private static int[] ReadIds(SafeTensorsFile file, string name, int vocabularySize, Problems problems)
    {
        if (!file.Contains(name) || file[name] is not { Dtype: ScalarType.Int32, Shape.Length: 1 })
        {
            problems.Add($"{file.Path}: there is no tensor '{name}' of int32 ids in it; the file is damaged.");
            return [];
        }

        int[] ids = MemoryMarshal.Cast<byte, int>(file.ReadBytes(name).AsSpan()).ToArray();
        if (ids.Any(id => (uint)id >= (uint)vocabularySize))
        {
            problems.Add($"{file.Path}: tensor '{name}' has ids that are not the model's; the file is damaged.");
        }

        return ids;
    }

    private static long ReadCount(SafeTensorsFile file, string key, Problems problems)
    {
        if (!long.TryParse(file.Metadata.GetValueOrDefault(key), NumberStyles.None, CultureInfo.InvariantCulture, out long count))
        {
            problems.Add($"{file.Path}: its metadata has no count '{key}'; the file is damaged.");
        }

        return count;
    }
}
