using T2R.Models;

namespace T2R.Generation.Decoding;

/// <summary>Chooses the decoder of a model.</summary>
public static class Decoders
{
    /// <summary>Opens one.</summary>
    /// <param name="model">The model; borrowed until the decoder is disposed.</param>
    /// <param name="slots">Sequences at once.</param>
    public static IDecoder Open(CausalLM model, int slots) =>
        CpuDecoder.Takes(model) ? new CpuDecoder(model, slots)
        : CudaDecoder.Unfit(model) is null ? new CudaDecoder(model, slots)
        : new TensorDecoder(model, slots);
}
