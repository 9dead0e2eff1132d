namespace T2R.Bench;

/// <summary>One step.</summary>
/// <param name="Seconds">What it took.</param>
/// <param name="Loss">Before it.</param>
/// <param name="DeviceBytes">Of the card in use after it; 0 without one.</param>
/// <param name="HostBytes">The process's resident set after it, garbage collected.</param>
public sealed record TrainingBenchStep(double Seconds, double Loss, long DeviceBytes, long HostBytes);
