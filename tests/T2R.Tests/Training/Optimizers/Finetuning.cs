using T2R.Conversion;
using T2R.Data;
using T2R.Evaluation;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tokenization;
using T2R.Training;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Optimizers;

/// <summary>
/// A real finetuning, small: the quickstart's teacher (2 M parameters) made recurrent and trained on .NET's documentation of collections. The model computes in fp32
/// whatever its weights are stored in, so that only the optimizers differ.
/// </summary>
internal sealed class Finetuning : IDisposable
{
    private const int Steps = 200, WarmupSteps = 10, Length = 64;
    private readonly TemporaryFolder _folder = new();
    private readonly PackedWindows _windows;

    public Finetuning()
    {
        string teacher = Path.Combine(Repository.Root, "recipes", "quickstart", "teacher");
        using var source = ModelFolder.Open(teacher);
        Converter.Run(Converter.Plan(source, new ConversionOptions { Slots = 32, Seed = 1 }), _folder["model"]);
        var text = CorpusReader.Open(["nuget:Microsoft.NETCore.App.Ref/10.0.12/ref/net10.0/System.Collections.xml"]);
        _windows = new PackedWindows(TokenStream.Build(text, TokenizerFolder.Open(teacher), beginId: 1), Length, seed: 3);
    }

    /// <summary>The loss over a part of the text before the first step and after the last, with weights stored in a type.</summary>
    /// <param name="options">The constants.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="make">Makes what steps the weights given, by gradients of their types, a learning rate and a factor of the gradients.</param>
    public (double First, double Last) Losses(AdamWOptions options, ScalarType dtype, Func<IReadOnlyList<TrainedWeight>, (IDisposable Owner, Action<Gradients, double, double> Step)> make)
    {
        using var scope = NewDisposeScope();
        using var folder = ModelFolder.Open(_folder["model"]);
        using var model = folder.Load(CPU, ScalarType.Float32);
        List<TrainedWeight> computing = [.. model.Weights.All.Select(w => new TrainedWeight(w.Spec.Name, w.Tensor, 1, 0))];
        List<TrainedWeight> stepping =
            [.. model.Weights.All.Select(w => new TrainedWeight(w.Spec.Name, w.Tensor.to(w.Spec.IsNorm ? ScalarType.Float32 : dtype, copy: true), 1, w.Spec.IsNorm ? 0 : options.WeightDecay))];
        var (owner, step) = make(stepping);
        using var _ = owner;
        CopyWeights(stepping, computing);
        double first = Loss(model);
        computing.ForEach(w => w.Tensor.requires_grad = true);
        using var gradients = new Gradients();
        using var flow = new GradientFlow(gradients, null, CPU);
        using var loss = new TokenStageLoss(new TrainingOptions { Steps = Steps, WindowLength = Length }, model, null, computing, recorded: 0, flow);
        var cursor = default(DataCursor);
        for (int i = 1; i <= Steps; i++)
        {
            using var inner = NewDisposeScope();
            using var batch = _windows.Next(1, ref cursor);
            loss.Backward(batch, 1).Dispose();
            double norm = flow.Norm();
            using var given = new Gradients();
            stepping.ForEach(w => given.Add(w.Name, gradients[w.Name]!.to(w.Tensor.dtype, copy: true)));
            gradients.Clear();
            step(given, options.LearningRate * Math.Min(1, i / (double)WarmupSteps), norm > 1 ? 1 / norm : 1);
            CopyWeights(stepping, computing);
        }

        computing.ForEach(w => w.Tensor.requires_grad = false);
        return (first, Loss(model));
    }

    public void Dispose() => _folder.Dispose();

    private double Loss(CausalLM model) => Perplexity.Of(model, _windows.Sequential(32, 8), resetAtDocuments: true).Loss;

    private static void CopyWeights(List<TrainedWeight> from, List<TrainedWeight> to)
    {
        using var _ = no_grad();
        foreach (var (stored, computing) in from.Zip(to))
        {
            computing.Tensor.copy_(stored.Tensor);
        }
    }
}
