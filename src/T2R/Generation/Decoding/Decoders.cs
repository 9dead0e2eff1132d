using T2R.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Generation.Decoding;

/// <summary>Chooses the decoder of a model.</summary>
public static class Decoders
{
    /// <summary>
    /// The type to load a model in that is to be decoded in another: fp16 for bf16 on a card, where there are kernels of its shape, and those take both. A bf16 between 6e-5 and 65504 is exact in fp16, and
    /// a smaller one is off by 3e-8 at most; what is computed between weights then has three bits more, and logits of tokens one by one and of a whole text agree to 1e-3 of the largest instead of 1e-2.
    /// </summary>
    /// <param name="config">The model.</param>
    /// <param name="device">Where it will be.</param>
    /// <param name="dtype">What was asked for.</param>
    public static ScalarType LoadIn(ModelConfig config, Device device, ScalarType dtype) =>
        dtype == ScalarType.BFloat16 && device.type == DeviceType.CUDA && CudaStep.UnfitShape(config) is null ? ScalarType.Float16 : dtype;

    /// <summary>Opens one.</summary>
    /// <param name="model">The model; borrowed until the decoder is disposed.</param>
    /// <param name="slots">Sequences at once.</param>
    public static IDecoder Open(CausalLM model, int slots) =>
        CpuDecoder.Takes(model) ? new CpuDecoder(model, slots)
        : CudaDecoder.Unfit(model) is null ? new CudaDecoder(model, slots)
        : new TensorDecoder(model, slots);
}
