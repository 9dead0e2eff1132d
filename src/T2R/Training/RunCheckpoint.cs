using System.Text.Json;
using T2R.Checkpoints;
using T2R.Models;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// A checkpoint of a run, opened and checked: the weights in T2R's names (<c>model.safetensors</c> or its shards), the moments (<c>optimizer.safetensors</c>) and where
/// the run stood (<c>state.json</c>).
/// </summary>
public sealed class RunCheckpoint : IDisposable
{
    private const string StateName = "state.json", OptimizerName = "optimizer.safetensors";
    private readonly CheckpointFolder _weights;
    private readonly SafeTensorsFile _moments;

    private RunCheckpoint(string path, TrainingState state, CheckpointFolder weights, SafeTensorsFile moments)
    {
        (Path, State, _weights, _moments) = (path, state, weights, moments);
    }

    /// <summary>Its folder.</summary>
    public string Path { get; }

    /// <summary>Steps done when it was written.</summary>
    public int Step => State.Step;

    /// <summary>Ids read when it was written.</summary>
    public long Tokens => State.Tokens;

    /// <summary>The last evaluation before it; null without held-out text.</summary>
    public EvaluationMetrics? Evaluation => State.Evaluation;

    internal TrainingState State { get; }

    /// <summary>Opens the newest checkpoint of a run that is whole.</summary>
    /// <param name="runPath">The run's folder.</param>
    /// <param name="model">The shape it must have.</param>
    /// <param name="warn">Hears of each checkpoint that was passed over.</param>
    /// <returns>The checkpoint; null when the run has none at all.</returns>
    /// <exception cref="UserErrorException">The run has checkpoints and none is whole.</exception>
    public static RunCheckpoint? Newest(string runPath, ModelConfig model, Action<string> warn)
    {
        var problems = new List<string>();
        foreach (string path in RunFolder.Checkpoints(runPath))
        {
            try
            {
                return Open(path, model);
            }
            catch (UserErrorException e)
            {
                problems.AddRange(e.Problems);
                warn($"{path}: the checkpoint is damaged; going back to the one before it. {e.Problems[0]}");
            }
        }

        return problems.Count == 0 ? null : throw new UserErrorException(problems);
    }

    /// <summary>Opens a checkpoint and checks that every weight is there, of the right shape.</summary>
    /// <param name="path">Its folder, <c>…/checkpoints/step-00000100</c>.</param>
    /// <param name="model">The shape it must have.</param>
    /// <exception cref="UserErrorException">It is damaged, or of another model.</exception>
    public static RunCheckpoint Open(string path, ModelConfig model)
    {
        var state = ReadState(System.IO.Path.Combine(path, StateName));
        var weights = CheckpointFolder.Open(path);
        SafeTensorsFile? moments = null;
        try
        {
            moments = SafeTensorsFile.Open(System.IO.Path.Combine(path, OptimizerName));
            var problems = new Problems();
            foreach (var spec in WeightLayout.Of(model))
            {
                if (!weights.Entries.TryGetValue(spec.Name, out var entry) || !entry.Shape.AsSpan().SequenceEqual(spec.Shape.AsSpan()))
                {
                    string found = entry is null ? "is missing" : $"has shape [{string.Join(", ", entry.Shape)}]";
                    problems.Add($"{path}: {spec.Name} {found}, expected [{string.Join(", ", spec.Shape)}]; the checkpoint is of another model or damaged.");
                }
            }

            problems.ThrowIfAny();
            return new RunCheckpoint(path, state, weights, moments);
        }
        catch
        {
            weights.Dispose();
            moments?.Dispose();
            throw;
        }
    }

    /// <summary>The weights, copied to a device.</summary>
    /// <param name="model">The shape it was opened with.</param>
    /// <param name="device">Where they are wanted.</param>
    public WeightSet ReadWeights(ModelConfig model, Device device) => new(model, spec =>
    {
        using var view = _weights.View(spec.Name);
        return view.to(view.dtype, device, copy: true);
    });

    /// <summary>The weights, copied over those of a model of the same shape.</summary>
    /// <param name="weights">Overwritten.</param>
    public void CopyTo(WeightSet weights)
    {
        var reads = new TensorReads();
        foreach (var (spec, tensor) in weights.All)
        {
            reads.Add(_weights.Holding(spec.Name), spec.Name, tensor);
        }

        reads.Run();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _weights.Dispose();
        _moments.Dispose();
    }

    /// <summary>What the run's newest checkpoint was trained with, by its state alone; null without one that can be read.</summary>
    internal static TrainingOptions? NewestOptions(string runPath)
    {
        foreach (string path in RunFolder.Checkpoints(runPath))
        {
            try
            {
                return ReadState(System.IO.Path.Combine(path, StateName)).Options;
            }
            catch (UserErrorException)
            {
                // Resuming says so, and passes it over likewise.
            }
        }

        return null;
    }

    /// <summary>Writes a checkpoint, whole or not at all.</summary>
    internal static void Write(string path, TrainingState state, WeightSet weights, IOptimizer optimizer)
    {
        using var folder = new StagedFolder(path, replace: true);
        var moments = optimizer.State.ToList();
        List<TensorSpec> plan = [.. moments.Select(m => Spec(m.Name, m.Tensor))];
        List<TensorSpec> weightPlan = [.. weights.All.Select(w => Spec(w.Spec.Name, w.Tensor))];
        folder.EnsureSpace(plan.Concat(weightPlan).Sum(s => s.ByteCount));
        using (var writer = new CheckpointWriter(folder, weightPlan))
        {
            foreach (var (spec, tensor) in weights.All)
            {
                writer.Write(spec.Name, tensor);
            }

            writer.Finish();
        }

        AtomicFile.Write(System.IO.Path.Combine(folder.Path, OptimizerName), stream =>
        {
            var writer = new SafeTensorsWriter(stream, plan);
            foreach (var (name, tensor) in moments)
            {
                writer.Write(name, tensor);
            }

            writer.Finish();
        });
        AtomicFile.WriteAllText(System.IO.Path.Combine(folder.Path, StateName), JsonSerializer.Serialize(state, TrainingJson.Indented) + "\n");
        folder.Commit();
    }

    /// <summary>Puts an optimizer where it stood.</summary>
    internal void Restore(IOptimizer optimizer)
    {
        var state = optimizer.State.ToDictionary(s => s.Name, s => s.Tensor, StringComparer.Ordinal);
        var reads = new TensorReads();
        foreach (var (name, tensor) in state)
        {
            reads.Add(_moments, name, tensor);
        }

        // Straight into its tensors; that it copies each onto itself then costs nothing.
        reads.Run();
        optimizer.Restore(State.OptimizerSteps, name => state[name]);
    }

    private static TensorSpec Spec(string name, Tensor tensor) => new(name, tensor.dtype, [.. tensor.shape]);

    private static TrainingState ReadState(string path)
    {
        try
        {
            var state = JsonSerializer.Deserialize<TrainingState>(File.ReadAllText(path), TrainingJson.Indented)!;
            return state.Format == 1 ? state : throw new UserErrorException($"{path}: format {state.Format}, expected 1; it was written by another version of T2R.");
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException($"{path}: not the state of a run ({e.Message}).", e);
        }
    }
}
