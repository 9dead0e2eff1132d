using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>Where the inputs of the blocks wait from their forward to their backward.</summary>
internal interface IBlockInputs : IDisposable
{
    /// <summary>Stores a block's input.</summary>
    /// <param name="block">Which block; from the first to the last.</param>
    /// <param name="input_BTD">Taken over, and not changed any more.</param>
    void Keep(int block, Tensor input_BTD);

    /// <summary>Says that no more are stored, and that this one is wanted next.</summary>
    /// <param name="block">Which block; from the last to the first.</param>
    void Expect(int block);

    /// <summary>Gives an input back.</summary>
    /// <param name="block">The block expected.</param>
    /// <returns>The caller's.</returns>
    Tensor Take(int block);
}
