using Spectre.Console;

namespace T2R.Cli;

/// <summary>Rows of text under headings.</summary>
/// <param name="headings">One for each column; a leading '#' marks a column of numbers, set to the right, and is not shown.</param>
internal sealed class ScreenTable(params string[] headings)
{
    private readonly List<(string[] Cells, Color ColorOfFirst)> _rows = [];

    /// <summary>Adds a row of as many cells as there are headings.</summary>
    public ScreenTable Row(params string[] cells) => Row(Color.Default, cells);

    /// <summary>Adds a row whose first cell has a colour in a terminal.</summary>
    public ScreenTable Row(Color colorOfFirst, params string[] cells)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(cells.Length, headings.Length);
        _rows.Add((cells, colorOfFirst));
        return this;
    }

    /// <summary>With borders, broken to the terminal's width.</summary>
    public void WriteTo(IAnsiConsole terminal)
    {
        var table = new Table { Border = TableBorder.Rounded };
        foreach (string heading in headings)
        {
            var column = new TableColumn(new Text(heading.TrimStart('#'), new Style(decoration: Decoration.Bold)));
            table.AddColumn(IsNumber(heading) ? column.RightAligned() : column);
        }

        foreach ((string[] cells, Color color) in _rows)
        {
            table.AddRow(cells.Select((c, i) => i == 0 ? new Text(c, new Style(color)) : new Text(c)));
        }

        terminal.Write(table);
    }

    /// <summary>Aligned by spaces, two between columns; a cell of several lines continues below itself.</summary>
    public void WriteTo(TextWriter file)
    {
        List<string[][]> rows = [.. _rows.Select(r => r.Cells).Prepend([.. headings.Select(h => h.TrimStart('#'))]).Select(r => r.Select(c => c.Split('\n')).ToArray())];
        int[] widths = [.. headings.Select((_, i) => rows.Max(r => r[i].Max(line => line.Length)))];
        foreach (string[][] row in rows)
        {
            for (int line = 0; line < row.Max(c => c.Length); line++)
            {
                IEnumerable<string> cells = row.Select((c, i) => Pad(c.ElementAtOrDefault(line) ?? "", widths[i], IsNumber(headings[i])));
                file.WriteLine(string.Join("  ", cells).TrimEnd());
            }
        }
    }

    private static string Pad(string cell, int width, bool toTheRight) => toTheRight ? cell.PadLeft(width) : cell.PadRight(width);

    private static bool IsNumber(string heading) => heading.StartsWith('#');
}
