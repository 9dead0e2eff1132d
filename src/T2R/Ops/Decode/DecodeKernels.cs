using System.Collections.Concurrent;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops.Decode;

/// <summary>The kernels of <c>Decode.cu</c> for one shape of gated slot attention, one type of numbers and one format of weights, compiled for one card.</summary>
internal sealed class DecodeKernels
{
    private const string File = "Ops/Decode/Decode.cu";
    private const int ProjectThreads = 256, EmbedThreads = 256, StepThreads = 512, Tile = 16, Together = 64, MostGroups = 16;
    private static readonly int[] Columns = [1, 2, 4, 8]; // eights of sequences that there are kernels for
    private static readonly ConcurrentDictionary<(int Device, ScalarType Dtype, int HeadDim, int Slots, int Groups, int Bits), Lazy<DecodeKernels>> Loaded = new();
    private readonly int _device;
    private readonly CudaKernel _embed, _step;
    private readonly CudaKernel[] _project, _projectAdded, _projectGated; // by Columns
    private readonly int[] _sizes;
    private readonly int _stepSharedBytes;

    private DecodeKernels(int device, ScalarType dtype, int headDim, int slots, int groups, int bits)
    {
        int most = CudaDevice.All()[device].SharedMemory;
        _device = device;
        var module = CudaModule.Of(
            device, File, $"KEYS={headDim}", $"VALUES={headDim}", $"SLOTS={slots}", $"GROUPS={groups}", $"WEIGHTS={bits}", $"MOST_SHARED={most}", CudaUnits.Definition(dtype));
        (_embed, _step) = (module.Kernel("embed"), module.Kernel("slot_step"));
        (_project, _projectAdded, _projectGated) = (Kernels("project"), Kernels("project_added"), Kernels("project_gated"));
        _sizes = module.Constants("project_sizes");
        _stepSharedBytes = module.Constants("slot_step_shared")[0];
        MostSequences = 8 * Columns.Where((_, i) => Math.Max(_sizes[(i * 4) + 1], _sizes[(i * 4) + 3]) <= most).Append(0).Max();
        Lack = MostSequences == 0 || _stepSharedBytes > most
            ? $"the kernels for heads of {headDim} with {slots} slots need {Math.Max(_stepSharedBytes, Math.Max(_sizes[1], _sizes[3]))} bytes of shared memory a block, where the card has {most}"
            : null;

        CudaKernel[] Kernels(string name) => [.. Columns.Select(c => module.Kernel($"{name}_{c}"))];
    }

    /// <summary>Why the card has too little for them; null when it has enough.</summary>
    public string? Lack { get; }

    /// <summary>Sequences that a launch can take: 64, or fewer where shared memory is short.</summary>
    public int MostSequences { get; }

    /// <summary>The kernels of a shape.</summary>
    /// <param name="device">The card's index.</param>
    /// <param name="dtype">Of what products read, bf16 or fp16, and of weights that are not quantised.</param>
    /// <param name="headDim">K = V.</param>
    /// <param name="slots">M.</param>
    /// <param name="groups">Query heads of a key-value head.</param>
    /// <param name="bits">Of a weight: 16, 8 or 4.</param>
    /// <exception cref="InvalidOperationException">They do not compile; holds the compiler's words.</exception>
    public static DecodeKernels Of(int device, ScalarType dtype, int headDim, int slots, int groups, int bits) =>
        Loaded.GetOrAdd((device, dtype, headDim, slots, groups, bits), s => new Lazy<DecodeKernels>(() => new DecodeKernels(s.Device, s.Dtype, s.HeadDim, s.Slots, s.Groups, s.Bits))).Value;

    /// <summary>Why there are none for a layer; null when there are.</summary>
    /// <param name="headDim">K = V.</param>
    /// <param name="slots">M.</param>
    /// <param name="groups">Query heads of a key-value head.</param>
    public static string? Unfit(int headDim, int slots, int groups) =>
        headDim is not (32 or 64 or 128) ? $"heads of {headDim} are not of 32, 64 or 128"
        : slots is not (16 or 32 or 64 or 128) ? $"{slots} slots are not 16, 32, 64 or 128"
        : groups > MostGroups ? $"{groups} query heads share a key-value head, and the kernels take up to {MostGroups}"
        : null;

    /// <summary>Why there are none for a product; null when there are.</summary>
    /// <param name="rows">O.</param>
    /// <param name="depth">I.</param>
    public static string? UnfitProduct(int rows, int depth) =>
        rows % Tile != 0 || depth % Together != 0 ? $"a product of {rows} × {depth} is not of multiples of {Tile} and {Together}" : null;

    /// <summary>
    /// Begins the stream of each sequence with its token's embedding, when all earlier work is done: launched without overlap, for <see cref="SlotStep"/> reads states before
    /// it waits, and what an earlier step or a copy wrote into them has to be there.
    /// </summary>
    /// <param name="batch">Sequences.</param>
    /// <param name="arguments">What the kernel reads and writes.</param>
    public void Embed(int batch, in DecodeArguments.EmbedArguments arguments) => _embed.Launch(CudaStream.Torch(_device), batch, EmbedThreads, 0, arguments);

    /// <summary>Products of all sequences.</summary>
    /// <param name="arguments">What the kernel reads and writes.</param>
    public void Project(in DecodeArguments.ProjectArguments arguments) => Launch(_project, arguments, arguments.Rows, 0);

    /// <summary>Products, added to the stream.</summary>
    /// <param name="arguments">What the kernel reads and writes.</param>
    public void ProjectAdded(in DecodeArguments.ProjectArguments arguments) => Launch(_projectAdded, arguments, arguments.Rows, 0);

    /// <summary>Products of a gate and of what it gates.</summary>
    /// <param name="arguments">What the kernel reads and writes.</param>
    public void ProjectGated(in DecodeArguments.ProjectArguments arguments) => Launch(_projectGated, arguments, arguments.Rows, 2);

    /// <summary>Gated slot attention's step.</summary>
    /// <param name="batch">Sequences.</param>
    /// <param name="arguments">What the kernel reads and writes.</param>
    public void SlotStep(int batch, in DecodeArguments.SlotStepArguments arguments) =>
        _step.Launch(CudaStream.Torch(_device), batch * arguments.Heads, StepThreads, _stepSharedBytes, arguments, overlaps: true);

    private void Launch(CudaKernel[] kernels, in DecodeArguments.ProjectArguments arguments, int rows, int size)
    {
        int i = 0;
        while (8 * Columns[i] < arguments.Batch)
        {
            i++;
        }

        int tiles = _sizes[(i * 4) + size];
        kernels[i].Launch(CudaStream.Torch(_device), (((rows + Tile - 1) / Tile) + tiles - 1) / tiles, ProjectThreads, _sizes[(i * 4) + size + 1], arguments, overlaps: true);
    }
}
