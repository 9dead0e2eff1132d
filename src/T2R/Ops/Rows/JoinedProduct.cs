namespace T2R.Ops.Rows;

/// <summary>Several matrices applied to the same rows, their results side by side; their rows are shared out among threads.</summary>
internal sealed class JoinedProduct
{
    // Rows of weights that one thread takes at a time.
    private const int Part = 64;

    private readonly SharedLoop _loop;
    private readonly WeightMatrix[] _matrices;
    private readonly Action<int> _multiply;
    private RowBuffer? _x, _y;
    private int _xFirst, _yFirst, _count;
    private bool _adds;

    /// <summary>Matrices of one width.</summary>
    /// <param name="loop">Runs it.</param>
    /// <param name="matrices">Each <c>[O, I]</c>, of the same I and format.</param>
    internal JoinedProduct(SharedLoop loop, params WeightMatrix[] matrices) => (_loop, _matrices, _multiply) = (loop, matrices, Multiply);

    /// <summary>Puts a row of inputs into the order that the matrices read.</summary>
    /// <param name="row">The row, <c>[I]</c>.</param>
    internal void Prepare(Span<float> row)
    {
        if (_matrices[0].ReadsTurned)
        {
            Int4Format.Turn(row);
        }
    }

    /// <summary>Multiplies.</summary>
    /// <param name="x">The inputs, prepared.</param>
    /// <param name="xFirst">The first row of them.</param>
    /// <param name="count">How many rows; unless it is 1, the next multiple of four is overwritten in y.</param>
    /// <param name="y">Receives the results.</param>
    /// <param name="yFirst">The row of the first one.</param>
    /// <param name="adds">Whether they are added to what y holds.</param>
    internal void Run(RowBuffer x, int xFirst, int count, RowBuffer y, int yFirst, bool adds = false)
    {
        (_x, _xFirst, _count, _y, _yFirst, _adds) = (x, xFirst, count, y, yFirst, adds);
        int parts = 0;
        long weights = 0;
        foreach (var matrix in _matrices)
        {
            parts += Parts(matrix);
            weights += (long)matrix.Rows * matrix.Columns;
        }

        // The first row waits for the weights, the others for the processor.
        _loop.Run(parts, weights * (7 + count) / 8, _multiply);
    }

    private static int Parts(WeightMatrix matrix) => (matrix.Rows + Part - 1) / Part;

    private void Multiply(int part)
    {
        int column = 0;
        foreach (var matrix in _matrices)
        {
            if (part < Parts(matrix))
            {
                var product = new RowProduct(matrix.Columns, _x!.From(_xFirst), _x.Stride, _count, _y!.From(_yFirst)[column..], _y.Stride, _adds);
                matrix.Multiply(product, part * Part, Math.Min(matrix.Rows, (part + 1) * Part));
                return;
            }

            part -= Parts(matrix);
            column += matrix.Rows;
        }
    }
}
