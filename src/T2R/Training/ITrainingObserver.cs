namespace T2R.Training;

/// <summary>Hears of a run as it goes: files, screens. Called on the training thread.</summary>
public interface ITrainingObserver
{
    /// <summary>A step that the options want logged.</summary>
    /// <param name="metrics">The step.</param>
    void Stepped(StepMetrics metrics);

    /// <summary>An evaluation.</summary>
    /// <param name="metrics">Its result.</param>
    void Evaluated(EvaluationMetrics metrics);

    /// <summary>Something odd that does not stop the run, such as a damaged checkpoint that was passed over.</summary>
    /// <param name="sentence">What, and what is done about it.</param>
    void Warned(string sentence);
}
