using System.Globalization;
using T2R.Bench;
using T2R.Interop.Cuda;

namespace T2R.Cli.Bench;

/// <summary>What the card itself was measured to do.</summary>
internal static class RatesView
{
    /// <summary>Measures, and says so.</summary>
    public static CardRates Measure()
    {
        Screen.Note("measuring the card's own rates");
        return CardRates.Measure();
    }

    public static string Text(CudaDevice card, CardRates rates) =>
        string.Create(CultureInfo.InvariantCulture, $"{card.Name}: {rates.BytesPerSecond / 1e12:F2} TB/s, {rates.OperationsPerSecond / 1e12:F0} TFLOP/s measured");
}
