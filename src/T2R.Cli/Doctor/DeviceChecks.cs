using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using T2R.Interop;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Cli.Doctor;

/// <summary>The devices libtorch computes on. Each is made to compute a product whose value is known.</summary>
internal static class DeviceChecks
{
    private const string GetCuda =
        "Set T2R_LIBTORCH to the `lib` folder of an installed PyTorch for CUDA, or build with -p:LibTorch=cuda.";

    public static IEnumerable<Finding> Run()
    {
        yield return Try("cpu", $"{CpuThreads.Count} of {Environment.ProcessorCount} logical cores used, {VectorInstructions()}", CPU);
        IReadOnlyList<CudaDevice> cards = CudaDevice.All();
        if (LibTorch.Report.HasCuda && !cuda.is_available())
        {
            yield return cards.Count == 0
                ? Finding.Warning("cuda", "this libtorch is for CUDA, but there is no CUDA device or no driver", "Work runs on the CPU. If there is a card, see whether `nvidia-smi` lists it.")
                : Finding.Warning("cuda", $"the driver lists {cards.Count} devices, but libtorch can use none", "The driver may be too old for this libtorch: update it.");
        }
        else if (!LibTorch.Report.HasCuda && cards.Count > 0)
        {
            yield return Finding.Warning("cuda", $"{cards[0].Name} is there, but this libtorch is for the CPU only", GetCuda);
        }
        else
        {
            foreach (CudaDevice card in cards)
            {
                yield return Try($"cuda:{card.Index}", $"{card.Name}, {Quantity.Bytes(card.Memory)}, compute capability {card.ComputeCapability}", device(TorchSharp.DeviceType.CUDA, card.Index));
            }

            foreach (CudaDevice card in cards.DistinctBy(c => c.ComputeCapability))
            {
                yield return Kernels(card);
            }
        }
    }

    private static Finding Try(string check, string found, Device device)
    {
        try
        {
            using var scope = NewDisposeScope();
            var ones_NN = ones(64, 64, device: device);
            float sum = ones_NN.matmul(ones_NN).sum().cpu().item<float>();
            return sum == 64 * 64 * 64
                ? Finding.Ok(check, $"{found}; computes")
                : Finding.Problem(check, $"{found}; a product of ones sums to {sum} instead of {64 * 64 * 64}", "Do not trust this device: try another libtorch or driver.");
        }
        catch (ExternalException e)
        {
            return Finding.Problem(check, $"{found}; cannot compute: {e.Message.Split('\n')[0]}", "Another process may hold its memory; otherwise try another libtorch or driver.");
        }
    }

    private static Finding Kernels(CudaDevice card)
    {
        try
        {
            return Finding.Ok("kernels", $"NVRTC {KernelCompiler.Try(card)} compiles for compute capability {card.ComputeCapability}");
        }
        catch (Exception e) when (e is DllNotFoundException or InvalidOperationException)
        {
            // These messages say what to do.
            return Finding.Problem("kernels", e.Message);
        }
    }

    private static string VectorInstructions() =>
        Avx512F.IsSupported ? "AVX-512" : Avx2.IsSupported ? "AVX2" : "no AVX2: expect a fraction of the usual speed";
}
