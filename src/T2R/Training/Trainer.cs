using T2R.Data;
using T2R.Evaluation;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Training.Memory;

namespace T2R.Training;

/// <summary>
/// Trains a model in a run folder. A run that was stopped, at any step and in any way, goes on from its newest checkpoint when the same trainer is run again, and on
/// a CPU ends with the bytes of a run that was never stopped.
/// </summary>
public sealed class Trainer : IDisposable
{
    /// <summary>The stage's name in what progress hears.</summary>
    public const string Stage = "train";

    private readonly TrainingOptions _options;
    private readonly TrainingInputs _inputs;
    private readonly RunFolder _folder;
    private readonly IReadOnlyList<ITrainingObserver> _observers;
    private readonly IProgress<StageProgress>? _progress;
    private readonly PackedWindows _windows;
    private readonly PackedWindows? _heldOut;
    private readonly LearningRateSchedule _schedule;
    private readonly Gradients _gradients = new();
    private readonly MemoryPlan _memory;
    private readonly CheckpointSaver _saver;
    private readonly Fp8Scales? _scales;
    private TrainingReport? _report;
    private StageRun? _stage;
    private TrainingState _state;
    private DataCursor _nextCursor;
    private long _peakBytes;

    /// <summary>Prepares a run; nothing is written yet.</summary>
    /// <param name="options">How to train.</param>
    /// <param name="inputs">What to train, on what.</param>
    /// <param name="folder">Where; kept open by the caller.</param>
    /// <param name="observers">Who else hears of the run, beside its own files.</param>
    /// <param name="progress">Hears of every step, in tokens.</param>
    /// <exception cref="UserErrorException">Options, model, teacher and text do not fit each other; holds every problem.</exception>
    public Trainer(
        TrainingOptions options, TrainingInputs inputs, RunFolder folder, IReadOnlyList<ITrainingObserver>? observers = null, IProgress<StageProgress>? progress = null)
    {
        inputs.Check(options);
        RefuseSeveralProcesses();
        (_options, _inputs, _folder, _observers, _progress) = (options, inputs, folder, observers ?? [], progress);
        _windows = new PackedWindows(inputs.Text, options.WindowLength, (ulong)options.Seed);
        _heldOut = inputs.HeldOut is null ? null : new PackedWindows(inputs.HeldOut, options.WindowLength, (ulong)options.Seed);
        _schedule = new LearningRateSchedule(options);
        _memory = inputs.Memory(options);
        _scales = options.Fp8 ? new Fp8Scales(inputs.Model.Config.Layers, inputs.Model.Device) : null;
        _saver = new CheckpointSaver(WriteCheckpoint, sentence => _report!.Warned(sentence));
        _state = new TrainingState
        {
            Step = 0,
            Stage = "",
            StageIndex = -1,
            Tokens = 0,
            Cursor = default,
            OptimizerSteps = 0,
            ElapsedSeconds = 0,
            Corpus = CorpusMark.Of(inputs.Text),
            Options = options,
        };
    }

    /// <summary>Trains to the end, from the newest checkpoint if there is one.</summary>
    /// <param name="cancellation">Stops after the step under way, with a checkpoint if any are kept.</param>
    /// <returns>What is left.</returns>
    /// <exception cref="UserErrorException">The run in the folder began with other options or text.</exception>
    /// <exception cref="DivergedException">A loss or gradient is not finite.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    /// <exception cref="IOException">The disk is full or fails; the checkpoints so far are intact.</exception>
    public TrainingResult Run(CancellationToken cancellation = default)
    {
        Begin();
        while (_state.Step < _options.Steps)
        {
            StopIfAsked(cancellation);
            _saver.ThrowIfFailed();
            EnterStage(_state.Step);
            _report!.StepBegins();
            double learningRate = _schedule.At(_state.Step);
            double? normBefore = _state.Step == _stage!.Plan.FirstStep ? null : _state.GradientNorm;
            var step = _stage.Step.Run(learningRate, normBefore, Batches, StopIfNotFinite);
            Advance(step.Norm);
            _report.StepEnds(_state, step.Loss, step.Parts, learningRate, step.Norm, _peakBytes);
            EvaluateIfDue();
            SaveIfDue();
        }

        return Finish();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _saver.Dispose();
        _stage?.Dispose();
        _report?.Dispose();
        _scales?.Dispose();
        _gradients.Dispose();
    }

    // A launcher sets WORLD_SIZE. Gradients are not yet summed over processes, and each would quietly train a model of its own.
    private static void RefuseSeveralProcesses()
    {
        if (Environment.GetEnvironmentVariable("WORLD_SIZE") is { } size && size.Trim() is not ("" or "1"))
        {
            throw new UserErrorException($"WORLD_SIZE is {size}: training over several processes is not supported yet; start one process, without a launcher.");
        }
    }

    private void Begin()
    {
        var warnings = new List<string>();
        using (var checkpoint = RunCheckpoint.Newest(_folder.Path, _inputs.Model.Config, warnings.Add))
        {
            if (checkpoint is not null)
            {
                Resume(checkpoint, warnings);
                _folder.RemoveAfter(checkpoint.Step);
            }
        }

        _report = new TrainingReport(_options, _folder, _state, _observers, _progress);
        var model = _inputs.Model;
        warnings.AddRange(IdleOptions.In(_options, model.Config, _heldOut is not null, model.Device.type == TorchSharp.DeviceType.CUDA));
        warnings.AddRange(MissingKernels.On(model.Config, model.Weights[WeightLayout.Embedding].dtype, model.Device));
        warnings.ForEach(_report.Warned);
        if (_state.Step == 0)
        {
            Evaluate();
        }
    }

    private void Resume(RunCheckpoint checkpoint, List<string> warnings)
    {
        var began = checkpoint.State;
        string[] problems = [.. OptionChanges.Between(began, _options, _folder.Path).Append(OptionChanges.OfText(began.Corpus, _state.Corpus, _folder.Path)).OfType<string>()];
        if (problems.Length > 0)
        {
            throw new UserErrorException(problems);
        }

        if (OptionChanges.OfSchedule(began, _options) is { } redrawn)
        {
            warnings.Add(redrawn);
        }

        _state = began with { Options = _options };
        checkpoint.CopyTo(_inputs.Model.Weights);
        checkpoint.Restore(_scales);
        if (_state.Step < _options.Steps && EnterStage(Math.Max(0, _state.Step - 1)).Plan.Index == began.StageIndex)
        {
            checkpoint.Restore(_stage!.Optimizer);
        }
    }

    private StageRun EnterStage(int step)
    {
        if (_stage is null || step >= _stage.Plan.FirstStep + _stage.Plan.Steps)
        {
            _stage?.Dispose();
            _stage = null;
            var plan = StagePlan.Of(_options).First(p => step < p.FirstStep + p.Steps);
            _stage = new StageRun(plan, _options, _inputs, _gradients, _memory.RecordedBlocks, _scales);
            _state = _state with { Stage = plan.Stage.Name, StageIndex = plan.Index };
        }

        return _stage;
    }

    // Those of the step under way, from the cursor on, and where the step after it begins.
    private IEnumerable<Batch> Batches()
    {
        var cursor = _state.Cursor;
        for (int i = 0; i < _options.AccumulationSteps; i++)
        {
            yield return _windows.Next(_options.MicroBatchSize, ref cursor, _inputs.Model.Device);
        }

        _nextCursor = cursor;
    }

    private void StopIfNotFinite(StepResult step)
    {
        if (!double.IsFinite(step.Loss) || !double.IsFinite(step.Norm))
        {
            string what = !double.IsFinite(step.Loss) ? $"the loss is {step.Loss}" : $"the norm of the gradients is {step.Norm}";
            throw Diverged(_state.Step + 1, $"{what}, and the weights were not updated with it");
        }
    }

    private DivergedException Diverged(int step, string what)
    {
        _saver.Wait();
        return new DivergedException(step, _state.Stage, what, RunFolder.Checkpoints(_folder.Path) is [var newest, ..] ? newest : null);
    }

    private void Advance(double norm)
    {
        _peakBytes = Math.Max(_peakBytes, _stage!.Flow.PeakBytes);
        _state = _state with
        {
            Step = _state.Step + 1,
            Tokens = _state.Tokens + _options.TokensPerStep,
            Cursor = _nextCursor,
            OptimizerSteps = _stage.Optimizer.Steps,
            GradientNorm = norm,
        };
    }

    private void EvaluateIfDue()
    {
        if (_options.EvaluatesAfter(_state.Step))
        {
            Evaluate();
        }
    }

    private void Evaluate()
    {
        if (_heldOut is not null)
        {
            var batches = _heldOut.Sequential(_options.EvaluationWindows, _options.MicroBatchSize, _inputs.Model.Device);
            var measured = Perplexity.Of(_inputs.Model, batches, _options.ResetAtDocuments);
            if (!double.IsFinite(measured.Value))
            {
                throw Diverged(_state.Step, $"the held-out loss after it is {measured.Loss}, of which there is no perplexity");
            }

            _state = _state with { Evaluation = new EvaluationMetrics(_state.Step, _state.Tokens, measured.Loss, measured.Value, measured.Predictions) };
            _report!.Evaluated(_state.Evaluation);
        }
    }

    private void SaveIfDue()
    {
        if (_options.KeepLast > 0 && (_state.Step == _options.Steps || (_options.CheckpointEvery > 0 && _state.Step % _options.CheckpointEvery == 0)))
        {
            Save();
        }
    }

    private void Save()
    {
        _state = _state with { ElapsedSeconds = _report!.ElapsedSeconds };
        using var live = CheckpointParts.Of(_state, _inputs.Model.Weights, _stage!.Optimizer, _scales);
        _saver.Save(live);
    }

    private void WriteCheckpoint(CheckpointParts parts)
    {
        RunCheckpoint.Write(_folder.CheckpointPath(parts.State.Step), parts);
        _folder.Prune(_options.KeepLast);
    }

    private void StopIfAsked(CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
        {
            _saver.Wait();
            if (_options.KeepLast > 0 && _stage is not null && !Directory.Exists(_folder.CheckpointPath(_state.Step)))
            {
                Save();
                _saver.Wait();
            }

            throw new OperationCanceledException(cancellation);
        }
    }

    private TrainingResult Finish()
    {
        _saver.Wait();
        LossPlot.Write(_folder.MetricsPath, _folder.PlotPath);
        _stage?.Dispose();
        _stage = null;
        string path = _folder.CheckpointPath(_state.Step);
        return new TrainingResult(_state.Step, _state.Tokens, _report!.ElapsedSeconds, _state.Evaluation, Directory.Exists(path) ? path : null, _memory.Total, _peakBytes);
    }
}
