using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace T2R.Recipes;

/// <summary>A recipe's YAML as a tree, with <c>key.path=value</c> overrides laid over it.</summary>
internal static class RecipeTree
{
    /// <summary>Parses a file.</summary>
    /// <exception cref="UserErrorException">No such file, not YAML, or not one mapping.</exception>
    public static YamlMappingNode Load(string path)
    {
        if (!File.Exists(path))
        {
            throw new UserErrorException($"{path}: {(Directory.Exists(path) ? "this is a folder" : "no such file")}; expected a recipe in YAML, such as recipes/quickstart.yaml.");
        }

        return Parse(File.ReadAllText(path), path) switch
        {
            YamlMappingNode mapping => mapping,
            null => throw new UserErrorException($"{path}: the file is empty; expected a recipe, such as recipes/quickstart.yaml."),
            var node => throw new UserErrorException($"{path}:{node.Start.Line}: expected a mapping (key: value lines) at the top, found {(node is YamlSequenceNode ? "a list" : "a text")}."),
        };
    }

    /// <summary>Parses a mapping that is known to be one.</summary>
    public static YamlMappingNode Parse(string yaml) => (YamlMappingNode)Documents(yaml)[0].RootNode;

    /// <summary>Lays an override over the tree; missing mappings on its way are made, list items are named by number.</summary>
    /// <param name="root">The tree.</param>
    /// <param name="assignment">Such as <c>training.optimizer.learning_rate=3e-4</c>; the value is YAML.</param>
    /// <param name="source">Receives what is wrong with it, and remembers what came from it.</param>
    public static void Apply(YamlMappingNode root, string assignment, RecipeSource source)
    {
        var problems = source.Problems;
        int equals = assignment.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            problems.Add($"override '{assignment}': expected key=value, such as training.optimizer.learning_rate=3e-4.");
            return;
        }

        string[] path = assignment[..equals].Split('.');
        YamlNode value;
        try
        {
            value = ParseValue(assignment[(equals + 1)..]);
            source.Override(value, assignment);
        }
        catch (YamlException e)
        {
            problems.Add($"override '{assignment}': the value is not valid YAML: {e.Message.TrimEnd('.')}; {RecipeSource.HowToQuote(assignment)}");
            return;
        }

        YamlNode at = root;
        for (int i = 0; i < path.Length; i++)
        {
            bool last = i == path.Length - 1;
            switch (at)
            {
                case YamlMappingNode mapping:
                    var key = new YamlScalarNode(path[i]);
                    source.Override(key, assignment);
                    if (last)
                    {
                        mapping.Children[key] = value;
                    }
                    else if (!mapping.Children.TryGetValue(key, out var next) || next is YamlScalarNode)
                    {
                        mapping.Children[key] = new YamlMappingNode();
                        source.Override(mapping.Children[key], assignment);
                    }

                    at = mapping.Children[key];
                    break;
                case YamlSequenceNode list when int.TryParse(path[i], out int index) && index >= 0 && index < list.Children.Count:
                    if (last)
                    {
                        list.Children[index] = value;
                    }

                    at = list.Children[index];
                    break;
                default:
                    problems.Add($"override '{assignment}': there is nothing at {string.Join('.', path[..(i + 1)])}.");
                    return;
            }
        }
    }

    /// <summary>The tree as YAML text.</summary>
    public static string Write(YamlMappingNode root)
    {
        using var text = new StringWriter { NewLine = "\n" };
        new YamlStream(new YamlDocument(root)).Save(text, assignAnchors: false);

        // The end of the document alone: a value may end with three dots too.
        string yaml = text.ToString();
        return yaml.EndsWith("\n...\n", StringComparison.Ordinal) ? yaml[..^"...\n".Length] : yaml;
    }

    // What is empty to YAML though something stands there is a comment, and more than one document no value.
    private static YamlNode ParseValue(string text)
    {
        try
        {
            return Documents(text) switch
            {
                [] when string.IsNullOrWhiteSpace(text) => new YamlScalarNode(string.Empty),
                [] => throw new YamlException("it is all comment"),
                [var document] => document.RootNode,
                _ => throw new YamlException("it is several documents"),
            };
        }
        catch (InvalidOperationException e)
        {
            throw new YamlException("a bracket or quote is not closed", e);
        }
    }

    private static IList<YamlDocument> Documents(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents;
    }

    private static YamlNode? Parse(string text, string name)
    {
        try
        {
            return Documents(text) switch
            {
                [] => null,
                [var document] => document.RootNode,
                var many => throw new UserErrorException($"{name}: holds {many.Count} YAML documents, expected one; remove the line --- between them."),
            };
        }
        catch (YamlException e)
        {
            string what = e.Message.StartsWith("Duplicate key", StringComparison.Ordinal)
                ? $"the key {text[(int)e.Start.Index..(int)e.End.Index]} stands there twice; remove one."
                : $"not valid YAML: {e.Message}";
            throw new UserErrorException($"{name}:{e.Start.Line}: {what}", e);
        }
        catch (InvalidOperationException e)
        {
            // The parser's answer to some brackets that are left open; it does not say where.
            throw new UserErrorException($"{name}: not valid YAML: a bracket or quote is not closed.", e);
        }
    }
}
