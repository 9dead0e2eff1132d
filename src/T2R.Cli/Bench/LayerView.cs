using System.Globalization;
using T2R.Bench;
using T2R.Interop.Cuda;

namespace T2R.Cli.Bench;

/// <summary>Shows what a bench of a layer, or of its operator, found.</summary>
internal static class LayerView
{
    public static void Show(CudaDevice card, CardRates rates, object shape, BenchResult result, bool asJson)
    {
        if (asJson)
        {
            Screen.PrintJson(Document(card.Name, rates, shape, result));
            return;
        }

        Screen.Print(RatesView.Text(card, rates));
        Screen.Print(shape.ToString()!);
        Screen.Print("off the reference, ‖a − b‖ / ‖b‖: " + string.Join(", ", result.Agreements.Select(a => Format($"{a.Key} {a.Value.Error:e1}"))));
        var table = new ScreenTable("", "#ms", "#floor ms", "#× floor");
        foreach (var line in result.Lines)
        {
            table.Row(line.Name, Format($"{line.Seconds * 1000:F3}"), Format($"{line.FloorSeconds * 1000:F3}"), Format($"{line.TimesFloor:F1}"));
        }

        Screen.Print(table);
    }

    /// <summary>For a program.</summary>
    public static object Document(string card, CardRates rates, object shape, BenchResult result) => new { Card = card, Rates = rates, Shape = shape, result.Agreements, result.Lines };

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
