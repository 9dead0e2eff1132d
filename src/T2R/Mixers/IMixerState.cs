namespace T2R.Mixers;

/// <summary>What one layer remembers of the tokens so far. Its tensors live until it is disposed, whatever dispose scope is open.</summary>
public interface IMixerState : IDisposable
{
    /// <summary>Bytes its tensors hold now.</summary>
    long ByteCount { get; }
}
