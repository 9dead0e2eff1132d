using Xunit;

namespace T2R.Tests;

/// <summary>The collection of tests that count all tensors of the process or measure its memory: nothing else runs beside them.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public static class Alone;
