using System.Runtime.InteropServices;

namespace T2R.Tests;

/// <summary>What TorchSharp throws when libtorch fails, with a message of the test's.</summary>
internal sealed class LibTorchError(string message) : ExternalException(message);
