using System.Text;
using T2R.Interop;
using T2R.Training;
using T2R.Training.Memory;

namespace T2R.Recipes;

/// <summary>A run did not get memory. What was written before, its newest checkpoint above all, is as it was.</summary>
public sealed class RunOutOfMemoryException : Exception
{
    internal RunOutOfMemoryException(MemoryShortage shortage, RecipePlan plan, string folder, Exception cause)
        : this(
            shortage,
            [.. LessMemory.For(plan.Recipe, plan.Dtype, shortage.OnCard, plan.Card is not null)],
            Newest(folder, plan),
            plan.Memory,
            cause)
    {
    }

    private RunOutOfMemoryException(MemoryShortage shortage, IReadOnlyList<MemorySetting> settings, string? checkpoint, MemoryPlan plan, Exception cause)
        : base(Compose(shortage, settings, checkpoint, plan), cause) =>
        (Shortage, Settings, Checkpoint) = (shortage, settings, checkpoint);

    /// <summary>What was asked for, and what the memory was then.</summary>
    public MemoryShortage Shortage { get; }

    /// <summary>The settings that make the recipe need less, those that cost least first.</summary>
    public IReadOnlyList<MemorySetting> Settings { get; }

    /// <summary>The newest whole checkpoint's folder; null when there is none.</summary>
    public string? Checkpoint { get; }

    private static string Compose(MemoryShortage shortage, IReadOnlyList<MemorySetting> settings, string? checkpoint, MemoryPlan plan)
    {
        var text = new StringBuilder($"{shortage}.\n");
        text.Append($"The plan was {MemoryPart.Text(plan.Total)} {plan.Moment}: {string.Join(", ", plan.Parts.Select(p => $"{p.Name} {MemoryPart.Text(p.Bytes)}"))}.\n");
        text.Append(checkpoint is null
            ? "There is no checkpoint yet.\n"
            : $"The newest checkpoint, {checkpoint}, is intact: the same command goes on from there.\n");
        Append("Each of these needs less memory:", checkpoint is null ? settings : settings.Where(s => s.KeepsRun));
        Append("Each of these too, in a new run (--out):", checkpoint is null ? [] : settings.Where(s => !s.KeepsRun));
        return text.ToString().TrimEnd();

        void Append(string heading, IEnumerable<MemorySetting> some)
        {
            foreach (var (setting, i) in some.Select((s, i) => (s, i)))
            {
                text.Append(i == 0 ? heading + "\n" : string.Empty).Append($"  {setting.Overrides}  ({setting.Effect})\n");
            }
        }
    }

    private static string? Newest(string folder, RecipePlan plan)
    {
        try
        {
            using var checkpoint = RunCheckpoint.Newest(folder, plan.Config, _ => { });
            return checkpoint?.Path;
        }
        catch (UserErrorException)
        {
            return null;
        }
    }
}
