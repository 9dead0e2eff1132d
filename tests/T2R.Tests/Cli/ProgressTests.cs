using T2R.Cli;
using Xunit;

namespace T2R.Tests.Cli;

public class ProgressTests
{
    private readonly Clock _clock = new();
    private readonly List<string> _lines = [];

    [Fact]
    public void Work_of_less_than_two_seconds_shows_nothing()
    {
        using (var progress = new ProgressReporter(_clock, _lines.Add, interactive: false))
        {
            progress.Report(new StageProgress("load", 0, 10, "tensors"));
            _clock.Advance(1.9);
            progress.Report(new StageProgress("load", 10, 10, "tensors"));
        }

        Assert.Empty(_lines);
    }

    [Fact]
    public void Longer_work_gives_a_line_every_five_seconds_and_one_at_the_end()
    {
        using (var progress = new ProgressReporter(_clock, _lines.Add, interactive: false))
        {
            for (int second = 0; second <= 10; second++)
            {
                progress.Report(new StageProgress("train", second * 100, 1000, "tokens"));
                _clock.Advance(1);
            }
        }

        Assert.Equal(
        [
            "train: 200 of 1,000 tokens, 100 tokens/s, 8.0 s left",
            "train: 700 of 1,000 tokens, 100 tokens/s, 3.0 s left",
            "train: 1,000 tokens in 10 s, 100 tokens/s",
        ], _lines);
    }

    [Fact]
    public void What_an_earlier_run_did_counts_for_the_amount_and_not_for_the_speed()
    {
        var meter = new StageMeter(_clock);
        meter.Take(new StageProgress("train", 500, 1000, "tokens"));
        _clock.Advance(10);
        meter.Take(new StageProgress("train", 600, 1000, "tokens"));
        Assert.Equal("train: 600 of 1,000 tokens, 10 tokens/s, 40 s left", meter.Line);
    }

    [Fact]
    public void A_new_stage_ends_the_one_before_and_starts_its_own_clock()
    {
        using (var progress = new ProgressReporter(_clock, _lines.Add, interactive: false))
        {
            progress.Report(new StageProgress("read", 0, 0, "bytes"));
            _clock.Advance(3);
            progress.Report(new StageProgress("read", 3_000_000, 0, "bytes"));
            progress.Report(new StageProgress("write", 0, 0, "bytes"));
            _clock.Advance(1);
        }

        Assert.Equal(["read: 3 MB, 1 MB/s", "read: 3 MB in 3.0 s, 1 MB/s"], _lines);
    }

    [Fact]
    public void What_another_line_has_told_of_a_stage_is_not_said_again_until_half_a_minute_of_silence()
    {
        using var progress = new ProgressReporter(_clock, _lines.Add, interactive: false);
        for (int second = 0; second <= 60; second++)
        {
            if (second is 0 or 20)
            {
                progress.Told("train");
            }

            progress.Report(new StageProgress("train", second * 100, 10_000, "tokens"));
            _clock.Advance(1);
        }

        Assert.StartsWith("train: 5,000 of 10,000 tokens", Assert.Single(_lines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(999, "999 bytes")]
    [InlineData(1_500, "1.50 kB")]
    [InlineData(14_483_000_000, "14.5 GB")]
    [InlineData(999_600, "1.00 MB")]
    public void Bytes_have_three_digits(double bytes, string text) => Assert.Equal(text, Quantity.Bytes(bytes));

    [Theory]
    [InlineData(0.44, "0.4 s")]
    [InlineData(12, "12 s")]
    [InlineData(185, "3:05")]
    [InlineData(93_723, "26:02:03")]
    public void Durations_are_as_precise_as_they_are_long(double seconds, string text) => Assert.Equal(text, Quantity.Duration(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void A_table_outside_a_terminal_is_aligned_and_ends_its_lines_with_text()
    {
        var writer = new StringWriter { NewLine = "\n" };
        new ScreenTable("model", "#perplexity").Row("teacher", "9.81").Row("a long name", "10.2\nabout").WriteTo(writer);
        Assert.Equal("model        perplexity\nteacher            9.81\na long name        10.2\n                  about\n", writer.ToString());
    }

    private sealed class Clock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(double seconds) => _ticks += (long)(seconds * TimeSpan.TicksPerSecond);
    }
}
