using System.Text.Json.Nodes;
using T2R.Checkpoints;
using T2R.Mixers;

namespace T2R.Models;

/// <summary>Rotary settings as config.json has them: <c>rope_theta</c> and <c>rope_scaling</c>, or <c>rope_parameters</c>, transformers 5's object of both.</summary>
internal static class RopeSettings
{
    private const string Default = "default", Linear = "linear", Llama3 = "llama3";

    /// <summary>Reads what an object says of them.</summary>
    /// <param name="json">The object that holds <c>rope_theta</c>.</param>
    public static (double Theta, RopeScaling? Scaling) Read(ConfigJson json)
    {
        double theta = json.Number("rope_theta", 10000);
        var old = json.Nested("rope_scaling") is { } scaling ? Scaling(scaling) : null;
        if (json.Nested("rope_parameters") is not { } parameters)
        {
            return (theta, old);
        }

        var current = Scaling(parameters);
        if (json.Has("rope_scaling") && old != current)
        {
            json.Refuse("rope_parameters", "does not say what rope_scaling says; keep the one that the model was trained with.");
        }

        double given = parameters.Number("rope_theta", theta);
        if (json.Has("rope_theta") && given != theta)
        {
            json.Refuse("rope_parameters", $"has rope_theta {given}, and outside of it there is rope_theta {theta}; keep the one that the model was trained with.");
        }

        return (given, current);
    }

    /// <summary>The object <c>rope_scaling</c>; null when nothing is scaled.</summary>
    public static JsonObject? Write(RopeScaling? scaling) => scaling switch
    {
        LinearRopeScaling linear => new JsonObject { ["rope_type"] = Linear, ["factor"] = linear.Factor },
        Llama3RopeScaling llama => new JsonObject
        {
            ["rope_type"] = Llama3,
            ["factor"] = llama.Factor,
            ["low_freq_factor"] = llama.LowFrequencyFactor,
            ["high_freq_factor"] = llama.HighFrequencyFactor,
            ["original_max_position_embeddings"] = llama.OriginalPositions,
        },
        _ => null,
    };

    private static RopeScaling? Scaling(ConfigJson json)
    {
        // Before transformers 4.43 the key was type; where both are, the newer one counts.
        string key = json.Has("rope_type") ? "rope_type" : "type", type = json.Text(key, Default);
        json.Pass("type");
        if (json.Number("partial_rotary_factor", 1) != 1)
        {
            json.Refuse("partial_rotary_factor", "is not 1, which T2R does not support: all of a head is turned.");
        }

        switch (type)
        {
            case Default:
                return null;
            case Linear:
                return new LinearRopeScaling(json.Number("factor"));
            case Llama3:
                var scaling = new Llama3RopeScaling(
                    json.Number("factor"), json.Number("low_freq_factor"), json.Number("high_freq_factor"), json.Count("original_max_position_embeddings"));
                if (scaling.HighFrequencyFactor > 0 && scaling.HighFrequencyFactor <= scaling.LowFrequencyFactor)
                {
                    json.Refuse("high_freq_factor", $"is {scaling.HighFrequencyFactor}, expected more than low_freq_factor ({scaling.LowFrequencyFactor}).");
                }

                return scaling;
            default:
                json.Refuse(key, $"is \"{type}\", which T2R does not support; it supports {Default}, {Linear} and {Llama3}.");
                return null;
        }
    }
}
