using System.Globalization;
using ScottPlot.TickGenerators;

namespace T2R.Evaluation;

/// <summary>The ticks of an axis on which decimal logarithms are drawn.</summary>
internal static class LogTicks
{
    /// <summary>Marks at 1 to 9 times each power of ten, numbers at 1, 2 and 5.</summary>
    /// <param name="least">The axis' lower end, an exponent of ten.</param>
    /// <param name="most">The upper.</param>
    /// <param name="shown">What is written at a value.</param>
    /// <param name="after">Where marks begin, an exponent too.</param>
    internal static NumericManual Between(double least, double most, Func<double, double> shown, double after = double.NegativeInfinity)
    {
        var ticks = new NumericManual();
        for (int exponent = (int)Math.Floor(least); exponent <= most; exponent++)
        {
            for (int digit = 1; digit <= 9; digit++)
            {
                double value = digit * Math.Pow(10, exponent), position = Math.Log10(value);
                if (position < Math.Max(least, after) || position > most)
                {
                    continue;
                }

                if (digit is 1 or 2 or 5)
                {
                    ticks.AddMajor(position, shown(value).ToString("#,0.######", CultureInfo.InvariantCulture));
                }
                else
                {
                    ticks.AddMinor(position);
                }
            }
        }

        return ticks;
    }
}
