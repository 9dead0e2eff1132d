namespace T2R.Checkpoints;

/// <summary>Opens the files that an index names, strict both ways: every tensor of the index is in its file, every tensor of a file is in the index.</summary>
internal static class Shards
{
    /// <summary>Opens them all, in the order of their names.</summary>
    /// <exception cref="UserErrorException">Holds every problem of every shard.</exception>
    internal static List<SafeTensorsFile> Open(string folder, string index)
    {
        Dictionary<string, string> map = ShardIndex.Read(index);
        var problems = new Problems();
        var opened = new List<SafeTensorsFile>();
        try
        {
            foreach (var shard in map.GroupBy(pair => pair.Value, pair => pair.Key).OrderBy(group => group.Key, StringComparer.Ordinal))
            {
                if (problems.Try(() => OpenShard(folder, index, shard.Key, shard.First())) is { } file)
                {
                    opened.Add(file);
                    Compare(index, file, shard.Key, shard, problems);
                }
            }

            if (map.Count == 0)
            {
                problems.Add($"{index}: 'weight_map' is empty, expected tensor names; fetch the file again.");
            }

            problems.ThrowIfAny();
            return opened;
        }
        catch
        {
            opened.ForEach(f => f.Dispose());
            throw;
        }
    }

    private static SafeTensorsFile OpenShard(string folder, string index, string shard, string tensor)
    {
        if (shard is "" or "." or ".." || shard.AsSpan().IndexOfAny('/', '\0') >= 0)
        {
            throw new UserErrorException($"{index}: tensor '{tensor}' lies in '{shard}', which leaves the folder; expected the name of a file beside the index.");
        }

        string path = Path.Combine(folder, shard);
        return InputFile.IsThere(path)
            ? SafeTensorsFile.Open(path)
            : throw new UserErrorException($"{index}: shard '{shard}' is missing (it holds '{tensor}'); fetch it into {folder}.");
    }

    private static void Compare(string index, SafeTensorsFile file, string shard, IEnumerable<string> expected, Problems problems)
    {
        var names = expected.ToHashSet(StringComparer.Ordinal);
        string[] missing = [.. names.Where(n => !file.Contains(n)).Order(StringComparer.Ordinal)];
        if (missing.Length > 0)
        {
            problems.Add($"{file.Path}: the index places {Listed(missing)} here, but the file does not hold it; fetch shard and index again.");
        }

        string[] surplus = [.. file.Entries.Select(e => e.Name).Where(n => !names.Contains(n))];
        if (surplus.Length > 0)
        {
            problems.Add($"{file.Path}: the file holds {Listed(surplus)}, which {index} does not place in '{shard}'; fetch shard and index again.");
        }
    }

    private static string Listed(string[] names)
    {
        const int shown = 4;
        string list = string.Join(", ", names.Take(shown).Select(n => $"'{n}'"));
        return names.Length > shown ? $"{names.Length} tensors ({list}, …)" : $"tensor {list}";
    }
}
