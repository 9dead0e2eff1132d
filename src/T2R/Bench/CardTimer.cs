using T2R.Interop.Cuda;

namespace T2R.Bench;

/// <summary>Times work on the first card by events in its own stream, so that the host's time counts only where the card waits for it.</summary>
public static class CardTimer
{
    private const int Card = 0, WarmUps = 3;

    /// <summary>The median time of an action.</summary>
    /// <param name="times">How often it is timed, after three times untimed.</param>
    /// <param name="action">Puts work into torch's stream.</param>
    /// <returns>Seconds.</returns>
    public static double Median(int times, Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        for (int i = 0; i < WarmUps; i++)
        {
            action();
        }

        var events = new List<CudaEvent>();
        try
        {
            for (int i = 0; i <= times; i++)
            {
                events.Add(new CudaEvent(Card, timed: true));
            }

            var torch = CudaStream.Torch(Card);
            torch.Record(events[0]);
            for (int i = 1; i <= times; i++)
            {
                action();
                torch.Record(events[i]);
            }

            events[^1].Synchronize();
            double[] seconds = [.. Enumerable.Range(1, times).Select(i => events[i].MillisecondsSince(events[i - 1]) / 1000).Order()];
            return seconds[times / 2];
        }
        finally
        {
            events.ForEach(e => e.Dispose());
        }
    }
}
