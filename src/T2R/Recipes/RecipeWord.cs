using System.Reflection;
using System.Text.Json.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace T2R.Recipes;

/// <summary>How a choice is written in a recipe, as in a run's files: by its own name for JSON if it has one, else <c>InBackward</c> as <c>in_backward</c>.</summary>
public static class RecipeWord
{
    /// <summary>The word of a choice.</summary>
    /// <param name="value">The choice.</param>
    /// <typeparam name="T">What it is one of.</typeparam>
    public static string Of<T>(T value)
        where T : struct, Enum =>
        typeof(T).GetField(value.ToString())?.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name ?? UnderscoredNamingConvention.Instance.Apply(value.ToString());
}
