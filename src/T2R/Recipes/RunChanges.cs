using T2R.Conversion;
using T2R.Training;

namespace T2R.Recipes;

/// <summary>Refuses a recipe that is not the one a run's folder began with, before anything of that run is overwritten, or measured in vain.</summary>
internal static class RunChanges
{
    /// <summary>Compares.</summary>
    /// <param name="plan">The recipe now.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="converted">Where in it the converted model is.</param>
    /// <param name="now">The record that the recipe would leave.</param>
    /// <exception cref="UserErrorException">Holds every difference that matters.</exception>
    public static void Refuse(RecipePlan plan, string folder, string converted, RunRecord now)
    {
        var problems = new Problems();
        if (Directory.Exists(converted) && (plan.Conversion is not { } conversion || !IsSame(ConversionRecord.Find(converted), ConversionRecord.Of(conversion))))
        {
            problems.Add(
                $"{converted}: this run converted another model, or with other settings (see {ConversionRecord.FileName} there); give the old model and settings, or another folder with --out.");
        }

        if (RunCheckpoint.NewestState(folder) is { } began)
        {
            foreach (string change in OptionChanges.Between(began, plan.Recipe.Training, folder).Concat(OfStart(RunRecord.Find(folder), now, plan, folder)))
            {
                problems.Add(change);
            }
        }

        problems.ThrowIfAny();
    }

    // Weights that no stage trains are those of the start, in the checkpoint's stead.
    private static IEnumerable<string> OfStart(RunRecord? began, RunRecord now, RecipePlan plan, string folder)
    {
        if (began is not null && began.Seed != now.Seed)
        {
            yield return $"model.seed is {Text(now.Seed)}, but the run in {folder} began with {Text(began.Seed)}; give the old value to resume it, or another folder to begin anew.";
        }
        else if (began is not null && began.Fingerprint != now.Fingerprint)
        {
            yield return $"{plan.Recipe.Model.Source}: the weights there are not those that the run in {folder} began with; give the old ones to resume it, or another folder to begin anew.";
        }
    }

    private static string Text(long? seed) => seed?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "without effect, as the weights are a folder's";

    // Another version of T2R may go on with the run; an early one recorded no fingerprint.
    private static bool IsSame(ConversionRecord? then, ConversionRecord now) =>
        then is not null && (then with { Version = now.Version, SourceFingerprint = then.SourceFingerprint ?? now.SourceFingerprint }).ToJson() == now.ToJson();
}
