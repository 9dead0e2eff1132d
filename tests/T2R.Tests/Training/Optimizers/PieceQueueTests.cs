using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Optimizers;

public sealed class PieceQueueTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly Dictionary<string, Moments> _moments;
    private readonly List<string> _log = [];
    private readonly Dictionary<int, string> _places = new() { [0] = "", [1] = "", [2] = "" };
    private readonly PieceQueue<int> _queue;

    public PieceQueueTests()
    {
        // Of two pieces, one, three and one; shapes without memory.
        _moments = new[] { ("a", 2), ("b", 1), ("c", 3), ("d", 1) }.ToDictionary(
            w => w.Item1,
            w => new Moments(new TrainedWeight(w.Item1, empty([w.Item2, MomentPiece.MostElements], ScalarType.BFloat16, META), 1, 0), OptimizerName.AdamW8Bit, (dtype, _) => empty(1, dtype)));
        _queue = new PieceQueue<int>(_places.Keys, (place, piece) =>
        {
            _places[place] = Name(piece);
            _log.Add($"fetch {Name(piece)}");
        });
    }

    public void Dispose()
    {
        foreach (var moments in _moments.Values)
        {
            moments.Dispose();
        }

        _scope.Dispose();
    }

    [Fact]
    public void While_a_piece_is_in_hand_the_next_two_are_on_their_way()
    {
        Expect("a", "b", "c");
        Assert.Equal("fetch a0, fetch a1, fetch b0", Log());
        Assert.Equal("now a0, fetch c0, now a1, fetch c1, now b0, fetch c2, now c0, now c1, now c2", Pass("a", "b", "c"));
    }

    [Fact]
    public void What_was_not_expected_is_fetched_when_it_is_needed() => Assert.Equal("fetch b0, fetch d0, now b0, now d0", Pass("b", "d"));

    [Fact]
    public void What_is_expected_further_on_is_fetched_once_places_are_free()
    {
        Expect("b");
        Expect("d", "b");
        Expect("a");
        Assert.Equal("fetch b0, fetch d0, fetch a0", Log());
        Assert.Equal("now b0, fetch a1", Pass("b"));
        Assert.Equal("now d0, now a0, now a1", Pass("a", "d"));
    }

    [Fact]
    public void What_was_fetched_and_is_not_needed_yet_makes_room_and_comes_again()
    {
        Expect("a", "b");
        Log();
        Assert.Equal("fetch c0, fetch c1, fetch c2, now c0, fetch a0, now c1, fetch a1, now c2, fetch b0", Pass("c"));
        Assert.Equal("now a0, now a1, now b0", Pass("b", "a"));
    }

    [Fact]
    public void What_is_forgotten_gives_its_places_back()
    {
        Expect("c");
        Log();
        _queue.Forget();
        Assert.Equal("fetch a0, fetch a1, now a0, now a1", Pass("a"));
        Assert.Equal("", Pass());
    }

    private void Expect(params string[] names) => _queue.Expect(names.Select(n => _moments[n]));

    private string Pass(params string[] names)
    {
        foreach (var (piece, place) in _queue.Pass([.. names.Select(n => _moments[n])]))
        {
            Assert.Equal(Name(piece), _places[place]);
            _log.Add($"now {Name(piece)}");
        }

        return Log();
    }

    private string Log()
    {
        string log = string.Join(", ", _log);
        _log.Clear();
        return log;
    }

    private static string Name(MomentPiece piece) => $"{piece.Moments.Weight.Name}{piece.First / MomentPiece.MostElements}";
}
