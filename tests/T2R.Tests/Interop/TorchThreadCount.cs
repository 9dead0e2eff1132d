using TorchSharp;

namespace T2R.Tests.Interop;

/// <summary>So many threads for libtorch until it is disposed.</summary>
internal sealed class TorchThreadCount : IDisposable
{
    private readonly int _before = torch.get_num_threads();

    private TorchThreadCount(int count) => torch.set_num_threads(count);

    public static TorchThreadCount Of(int count) => new(count);

    public void Dispose() => torch.set_num_threads(_before);
}
