namespace T2R.Recipes;

/// <summary>How a recipe's models are measured at the end, all on the same held-out windows.</summary>
public sealed record EvaluationSection
{
    /// <summary>Held-out windows, from the first.</summary>
    public int Windows { get; init; } = 64;

    internal static EvaluationSection Read(YamlSection yaml)
    {
        var defaults = new EvaluationSection();
        var section = new EvaluationSection
        {
            Windows = yaml.Count("windows", defaults.Windows),
        };
        yaml.RefuseTheRest();
        return section;
    }
}
