using System.Text.Json;
using T2R.Checkpoints;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// A checkpoint of a run, opened and checked: the weights that a stage of the run trains, in T2R's names (<c>model.safetensors</c> or its shards), the moments and FP8 scales
/// (<c>optimizer.safetensors</c>) and where the run stood (<c>state.json</c>). All other weights are those of the model that the run began with.
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

    /// <summary>The adapters that were trained; null for none.</summary>
    public LoraConfig? Lora => State.Options.Lora;

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

    /// <summary>Opens a checkpoint and checks that every weight that the run trains is there, of the right shape.</summary>
    /// <param name="path">Its folder, <c>…/checkpoints/step-00000100</c>.</param>
    /// <param name="model">The shape it must have.</param>
    /// <exception cref="UserErrorException">It is damaged, or of another model.</exception>
    public static RunCheckpoint Open(string path, ModelConfig model)
    {
        var state = ReadState(System.IO.Path.Combine(path, StateName));
        model = model with { Lora = state.Options.Lora };
        var weights = CheckpointFolder.Open(path);
        SafeTensorsFile? moments = null;
        try
        {
            moments = SafeTensorsFile.Open(System.IO.Path.Combine(path, OptimizerName));
            var problems = new Problems();
            foreach (var spec in WeightLayout.Of(model))
            {
                bool isThere = weights.Entries.TryGetValue(spec.Name, out var entry);
                if (isThere ? !entry!.Shape.AsSpan().SequenceEqual(spec.Shape.AsSpan()) : WeightChoice.IsEverTrained(state.Options, spec.Name))
                {
                    string found = isThere ? $"has shape [{string.Join(", ", entry!.Shape)}]" : "is missing";
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

    /// <summary>Whether it holds a weight; if not, the weight is that of the model the run began with.</summary>
    /// <param name="name">T2R's name.</param>
    public bool Holds(string name) => _weights.Entries.ContainsKey(name);

    /// <summary>Reads a weight that it holds into a CPU tensor, owned by the current dispose scope.</summary>
    /// <param name="name">T2R's name.</param>
    /// <exception cref="UserErrorException">It holds none of that name.</exception>
    /// <exception cref="IOException">The disk fails, or a file was cut off meanwhile.</exception>
    public Tensor Read(string name) => _weights.Read(name);

    /// <summary>The weights it holds, copied over those of the model that the run began with.</summary>
    /// <param name="weights">Overwritten.</param>
    public void CopyTo(WeightSet weights)
    {
        var reads = new TensorReads();
        foreach (var (spec, tensor) in weights.All.Where(w => Holds(w.Spec.Name)))
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

    /// <summary>Where the run's newest checkpoint stood, by its state alone; null without one that can be read.</summary>
    internal static TrainingState? NewestState(string runPath)
    {
        foreach (string path in RunFolder.Checkpoints(runPath))
        {
            try
            {
                return ReadState(System.IO.Path.Combine(path, StateName));
            }
            catch (UserErrorException)
            {
                // Resuming says so, and passes it over likewise.
            }
        }

        return null;
    }

    /// <summary>Writes a checkpoint, whole or not at all.</summary>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    internal static void Write(string path, CheckpointParts parts)
    {
        using var folder = new StagedFolder(path, replace: true);
        folder.EnsureSpace(parts.ByteCount);
        using (var writer = new CheckpointWriter(folder, [.. parts.Weights.Select(Spec)]))
        {
            foreach (var (name, tensor) in parts.Weights)
            {
                writer.Write(name, tensor);
            }

            writer.Finish();
        }

        AtomicFile.Write(System.IO.Path.Combine(folder.Path, OptimizerName), stream =>
        {
            var writer = new SafeTensorsWriter(stream, parts.Moments.Select(Spec));
            foreach (var (name, tensor) in parts.Moments)
            {
                writer.Write(name, tensor);
            }

            writer.Finish();
        });
        AtomicFile.WriteAllText(System.IO.Path.Combine(folder.Path, StateName), JsonSerializer.Serialize(parts.State, TrainingJson.Indented) + "\n");
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

    /// <summary>Puts the run's FP8 scales where they stood.</summary>
    /// <param name="scales">Null for a run without.</param>
    internal void Restore(Fp8Scales? scales)
    {
        if (scales is not null)
        {
            var reads = new TensorReads();
            reads.Add(_moments, Fp8Scales.Name, scales.Running_C);
            reads.Run();
            scales.Restore(scales.Running_C);
        }
    }

    private static TensorSpec Spec((string Name, Tensor Tensor) part) => new(part.Name, part.Tensor.dtype, [.. part.Tensor.shape]);

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
