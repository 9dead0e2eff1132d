namespace T2R.Tests.Models;

/// <summary>The functions the reference models are made of, written out in double.</summary>
internal static class ReferenceMath
{
    public static double[] Product(double[] matrix, double[] x)
    {
        var y = new double[matrix.Length / x.Length];
        for (int row = 0; row < y.Length; row++)
        {
            for (int column = 0; column < x.Length; column++)
            {
                y[row] += matrix[(row * x.Length) + column] * x[column];
            }
        }

        return y;
    }

    public static double[] RmsNorm(double[] x, double[] weight, double epsilon)
    {
        double inverse = 1 / Math.Sqrt((x.Sum(value => value * value) / x.Length) + epsilon);
        return [.. x.Select((value, i) => value * inverse * weight[i])];
    }

    public static double[] Silu(double[] x) => [.. x.Select(value => value / (1 + Math.Exp(-value)))];

    public static double[] Softmax(double[] x)
    {
        double largest = x.Max();
        double[] e = [.. x.Select(value => Math.Exp(value - largest))];
        double sum = e.Sum();
        return [.. e.Select(value => value / sum)];
    }

    public static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];
}
