using T2R.Conversion;

namespace T2R.Recipes;

/// <summary>Reads what a recipe says of the conversion.</summary>
internal static class ConversionSection
{
    public static ConversionOptions Read(YamlSection yaml)
    {
        var defaults = new ConversionOptions();
        var options = new ConversionOptions
        {
            Slots = yaml.Count("slots", defaults.Slots),
            GateLogitNormalizer = yaml.Number("gate_logit_normalizer", defaults.GateLogitNormalizer, 1e-3),
            Initialization = yaml.Text("initialization", defaults.Initialization),
            Seed = yaml.Whole("seed", defaults.Seed),
            SoftmaxLayers = [.. yaml.Indices("softmax_layers")],
        };
        if (!Initializations.Names.Contains(options.Initialization))
        {
            yaml.Refuse("initialization", $"is '{options.Initialization}', expected one of {string.Join(", ", Initializations.Names)}.");
        }

        yaml.RefuseTheRest();
        return options;
    }
}
