using T2R.Training;

namespace T2R.Tests.Training;

/// <summary>Keeps what a run tells.</summary>
internal sealed class Recorder(Action<StepMetrics>? onStep = null) : ITrainingObserver
{
    public List<StepMetrics> Steps { get; } = [];

    public List<EvaluationMetrics> Evaluations { get; } = [];

    public List<string> Warnings { get; } = [];

    public void Stepped(StepMetrics metrics)
    {
        Steps.Add(metrics);
        onStep?.Invoke(metrics);
    }

    public void Evaluated(EvaluationMetrics metrics) => Evaluations.Add(metrics);

    public void Warned(string sentence) => Warnings.Add(sentence);
}
