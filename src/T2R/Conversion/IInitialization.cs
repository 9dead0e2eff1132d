using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>How a gated slot layer starts from the softmax layer it replaces. It sees one layer's weights and no text.</summary>
public interface IInitialization
{
    /// <summary>What a recipe calls it.</summary>
    string Name { get; }

    /// <summary>One sentence for the ledger and the model card.</summary>
    string Summary { get; }

    /// <summary>
    /// Which of a block's weights it makes, by name inside the block (<c>mixer.f_proj</c>), and how; always the new ones, <c>mixer.f_proj</c> and <c>mixer.g_norm</c>.
    /// The others are copied.
    /// </summary>
    IReadOnlyDictionary<string, string> Parts { get; }

    /// <summary>The value a weight starts with.</summary>
    /// <param name="part">One of <see cref="Parts"/>.</param>
    /// <param name="layer">The layer that is replaced.</param>
    /// <returns>fp32, of the weight's shape, owned by the current dispose scope. Equal layers and seeds give equal values, in whatever order the parts are asked for.</returns>
    Tensor Start(string part, PretrainedLayer layer);
}
