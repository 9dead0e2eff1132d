using Spectre.Console;

namespace T2R.Cli;

/// <summary>A bar in the terminal from its creation to its end; lines written meanwhile appear above it.</summary>
internal sealed class ProgressBar : IDisposable
{
    private readonly TaskCompletionSource _end = new();
    private readonly Task _display;
    private ProgressTask? _task;

    public ProgressBar(string description)
    {
        _display = Screen.ErrorConsole.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
            .StartAsync(async context =>
            {
                _task = context.AddTask(Markup.Escape(description));
                await _end.Task;
            });
    }

    public void Show(StageMeter meter)
    {
        StageProgress now = meter.Last;
        _task!.IsIndeterminate = now.Total <= 0;
        _task.MaxValue = Math.Max(now.Total, 1);
        _task.Value = now.Done;
        _task.Description = Markup.Escape($"{now.Stage}: {meter.RateAndLeft}");
    }

    public void Dispose()
    {
        _end.SetResult();
        _display.GetAwaiter().GetResult();
    }
}
