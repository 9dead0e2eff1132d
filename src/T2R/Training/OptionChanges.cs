using System.Text.Json;
using System.Text.Json.Nodes;

namespace T2R.Training;

/// <summary>What a resumed run has otherwise than it began with, and must not.</summary>
internal static class OptionChanges
{
    // These change what is reported, kept or computed twice, or how long the run goes on; not what the steps so far were.
    private static readonly HashSet<string> Harmless =
        ["steps", "log_every", "evaluate_every", "evaluate_at", "evaluation_windows", "checkpoint_every", "keep_last", "recompute", "optimizer.offload", "offload_inputs", "tokens_per_step"];

    /// <summary>A sentence for each option that must not be what it is now.</summary>
    public static IEnumerable<string> Between(TrainingState began, TrainingOptions now, string runFolder)
    {
        foreach (string change in Between(began.Options, now, runFolder))
        {
            yield return change;
        }

        if (began.Step > now.Steps)
        {
            yield return $"training.steps is {now.Steps}, and the run in {runFolder} has done {began.Step} steps already; give at least as many, or another folder.";
        }
    }

    /// <summary>A warning if the run now ends elsewhere than it was to, so that the learning rate falls along another curve; null if not.</summary>
    public static string? OfSchedule(TrainingState began, TrainingOptions now) => began.Options.Steps == now.Steps
        ? null
        : $"training.steps is {now.Steps} and was {began.Options.Steps} so far: from step {began.Step} on the learning rate follows the schedule of {now.Steps} steps, "
            + "so the run is not what one of as many steps from the beginning would be.";

    /// <summary>A sentence if the text has changed; null if not.</summary>
    public static string? OfText(CorpusMark began, CorpusMark now, string runFolder) => began == now
        ? null
        : began with { Shares = now.Shares } == now && began.Shares is not null
        ? $"The weights of the sources are {now.Shares} of their sum, but the run in {runFolder} began with {began.Shares}, and its windows follow from them; give the old weights to resume it, or another folder."
        : $"The run in {runFolder} began on a text of {began.Tokens} tokens; this one has {now.Tokens} or differs inside. Give the old text, or another folder.";

    /// <summary>A sentence for each option that must not change.</summary>
    public static IEnumerable<string> Between(TrainingOptions began, TrainingOptions now, string runFolder)
    {
        var changes = new List<(string Key, string Began, string Now)>();
        Compare("", Node(began), Node(now), changes);
        return changes.Select(c =>
            $"training.{c.Key} is {c.Now}, but the run in {runFolder} began with {c.Began}; give the old value to resume it, or another folder to begin anew.");
    }

    private static JsonNode? Node(TrainingOptions options) => JsonSerializer.SerializeToNode(options, TrainingJson.Line);

    private static void Compare(string key, JsonNode? began, JsonNode? now, List<(string, string, string)> changes)
    {
        if (Harmless.Contains(key))
        {
            return;
        }

        if (began is JsonObject a && now is JsonObject b)
        {
            foreach (string name in a.Select(p => p.Key).Union(b.Select(p => p.Key)))
            {
                Compare(key.Length == 0 ? name : $"{key}.{name}", a[name], b[name], changes);
            }
        }
        else if (began is JsonArray c && now is JsonArray d && c.Count == d.Count)
        {
            for (int i = 0; i < c.Count; i++)
            {
                Compare($"{key}[{i}]", c[i], d[i], changes);
            }
        }
        else if (!JsonNode.DeepEquals(began, now))
        {
            changes.Add((key, Text(began), Text(now)));
        }
    }

    private static string Text(JsonNode? node) => node?.ToJsonString(TrainingJson.Line) ?? "nothing";
}
