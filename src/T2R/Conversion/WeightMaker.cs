using System.Collections.Concurrent;
using T2R.Interop;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>Makes a conversion's new weights on a thread of its own, a few ahead of whoever writes them, so that the disk does not wait.</summary>
internal sealed class WeightMaker : IDisposable
{
    private const int Ahead = 4;
    private readonly BlockingCollection<(WeightSpec Spec, Tensor Value)> _made = new(Ahead);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _making;

    /// <summary>Begins.</summary>
    /// <param name="weights">What to make, in order, and how; the value's owner is the dispose scope open then.</param>
    public WeightMaker(IEnumerable<(WeightSpec Spec, Func<Tensor> Make)> weights) => _making = Task.Run(() => Make(weights));

    /// <summary>The next weight, which the caller disposes.</summary>
    /// <param name="wait">Whether to wait for it; if not, false means that none is ready.</param>
    /// <param name="weight">The weight.</param>
    /// <returns>False, having waited, when there are no more.</returns>
    /// <exception cref="Exception">Whatever stopped the making.</exception>
    public bool TryTake(bool wait, out (WeightSpec Spec, Tensor Value) weight)
    {
        if (_made.TryTake(out weight, wait ? Timeout.Infinite : 0))
        {
            return true;
        }

        if (wait || _making.IsFaulted)
        {
            _making.GetAwaiter().GetResult();
        }

        return false;
    }

    /// <summary>Ends the making and disposes what nobody took.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        Task.WhenAny(_making).GetAwaiter().GetResult();
        while (_made.TryTake(out var weight))
        {
            weight.Value.Dispose();
        }

        _made.Dispose();
        _stop.Dispose();
    }

    // libtorch loads here too, while the first tensors are copied.
    private void Make(IEnumerable<(WeightSpec Spec, Func<Tensor> Make)> weights)
    {
        try
        {
            LibTorch.Load();
            using var gradients = no_grad();
            using var oneThread = CpuThreads.JustOne();
            foreach (var (spec, make) in weights)
            {
                using var scope = NewDisposeScope();
                Hand(spec, make().DetachFromDisposeScope());
            }
        }
        finally
        {
            // Also when libtorch did not load: whoever waits for a weight must hear that none comes.
            _made.CompleteAdding();
        }
    }

    private void Hand(WeightSpec spec, Tensor value)
    {
        try
        {
            _made.Add((spec, value), _stop.Token);
        }
        catch (OperationCanceledException)
        {
            value.Dispose();
            throw;
        }
    }
}
