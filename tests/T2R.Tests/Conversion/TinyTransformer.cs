using System.Collections.Immutable;
using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Conversion;

/// <summary>Small transformers' folders, made on the spot.</summary>
internal static class TinyTransformer
{
    public static ModelConfig Config { get; } = new()
    {
        VocabularySize = 48,
        HiddenSize = 32,
        IntermediateSize = 40,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = false,
        MaxPositionEmbeddings = 128,
        Mixers = [.. Enumerable.Repeat<MixerConfig>(new SoftmaxAttentionConfig(4, 2, 8, 10000, null), 3)],
    };

    public static string Write(string path, ModelConfig? config = null, ScalarType dtype = ScalarType.BFloat16)
    {
        RandomModel.Write(config ?? Config, path, seed: 5, dtype, cancellation: TestContext.Current.CancellationToken);
        return path;
    }

    public static ImmutableArray<byte> WeightsOf(string folder) => [.. File.ReadAllBytes(Path.Combine(folder, "model.safetensors"))];
}
