namespace T2R.Conversion;

/// <summary>The initialisations a recipe can name.</summary>
public static class Initializations
{
    /// <summary>The one used unless told otherwise.</summary>
    public const string Default = "spread";

    private static readonly IInitialization[] All = [new SpreadInitialization(), new RandomInitialization()];

    /// <summary>Every name, the default first.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(i => i.Name)];

    /// <summary>Finds one.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public static IInitialization Named(string name) => All.FirstOrDefault(i => i.Name == name) ?? throw new UserErrorException(
        $"'{name}' is not an initialization{(NearestName.Of(name, Names) is { } near ? $"; did you mean '{near}'?" : $"; expected one of {string.Join(", ", Names)}.")}");
}
