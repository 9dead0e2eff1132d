using System.Text.Json.Serialization;

namespace T2R.Server.Api;

/// <summary>The models there are, in the words of <c>/v1/models</c>.</summary>
internal sealed record ModelList(string Object, IReadOnlyList<ModelEntry> Data);

/// <summary>A model.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Object"><c>model</c>.</param>
/// <param name="Created">Since when it is served, in seconds since 1970.</param>
/// <param name="OwnedBy">Who serves it.</param>
/// <param name="StateBytes">What one sequence needs, however long; null if the model is not recurrent.</param>
/// <param name="CacheBytesPerToken">What softmax attention of the same shape would keep for each token, in bf16.</param>
internal sealed record ModelEntry(
    string Id,
    string Object,
    long Created,
    string OwnedBy,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? StateBytes,
    long CacheBytesPerToken);
