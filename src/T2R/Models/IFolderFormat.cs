using T2R.Checkpoints;

namespace T2R.Models;

/// <summary>A kind of Hugging Face folder: how its config.json reads and what it calls the weights.</summary>
public interface IFolderFormat
{
    /// <summary>What people call it.</summary>
    string Name { get; }

    /// <summary>Values of <c>model_type</c> that mean this format.</summary>
    IReadOnlyList<string> ModelTypes { get; }

    /// <summary>The two-way name table.</summary>
    WeightNames Names { get; }

    /// <summary>Whether an older file may hold gate and up projections stacked in one <c>gate_proj</c>, <c>[2·I, D]</c>.</summary>
    bool MayFuseGateAndUp { get; }

    /// <summary>Reads the config; what is wrong or not supported goes into <paramref name="problems"/>, by key.</summary>
    /// <param name="json">The opened config.json.</param>
    /// <param name="problems">Receives every problem.</param>
    /// <returns>The shape, or null when there were problems.</returns>
    ModelConfig? ReadConfig(ConfigJson json, Problems problems);

    /// <summary>Whether a stored tensor says nothing (such as a rotary table that old files kept) and is passed over.</summary>
    /// <param name="name">The stored name.</param>
    bool Ignores(string name);
}
