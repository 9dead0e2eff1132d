using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace T2R.Checkpoints;

/// <summary><c>model.safetensors.index.json</c>: <c>weight_map</c>, a tensor's name → the file that holds it, and <c>metadata.total_size</c> in bytes.</summary>
internal static class ShardIndex
{
    internal const string FileName = "model.safetensors.index.json";

    /// <summary>Reads the weight map.</summary>
    /// <exception cref="UserErrorException">The file is not such an index.</exception>
    internal static Dictionary<string, string> Read(string path)
    {
        JsonElement root = InputFile.ReadJson(path);
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
        {
            throw new UserErrorException($"{path}: there is no object 'weight_map' in it, expected tensor names and the files that hold them; fetch the file again.");
        }

        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty pair in map.EnumerateObject())
        {
            files[pair.Name] = pair.Value.ValueKind == JsonValueKind.String
                ? pair.Value.GetString()!
                : throw new UserErrorException($"{path}: tensor '{pair.Name}' has a JSON {pair.Value.ValueKind} as its file, expected a string; fetch the file again.");
        }

        return files;
    }

    /// <summary>The index's text: names in ordinal order, as the reference tools write it, so that equal plans give equal bytes.</summary>
    internal static string Format(IEnumerable<(string Name, string File)> tensors, long totalSize)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", totalSize);
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (var (name, file) in tensors.OrderBy(t => t.Name, StringComparer.Ordinal))
            {
                json.WriteString(name, file);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }
}
