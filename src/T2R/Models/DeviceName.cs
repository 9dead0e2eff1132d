using System.Globalization;
using T2R.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>The devices a model runs on, by the names people type.</summary>
public static class DeviceName
{
    /// <summary>Reads a name, and makes sure that libtorch sees the device.</summary>
    /// <param name="name"><c>cpu</c>, <c>cuda</c> for the first card, or <c>cuda:N</c>.</param>
    /// <exception cref="UserErrorException">It names no device, or one that is not there.</exception>
    /// <exception cref="DllNotFoundException">As <see cref="LibTorch.Load"/>.</exception>
    public static Device Parse(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        LibTorch.Load();
        string[] parts = name.Split(':');
        int index = 0;
        bool isDevice = parts is ["cpu"] or ["cuda"] || (parts is ["cuda", var number] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out index));
        if (!isDevice)
        {
            throw new UserErrorException($"'{name}' is not a device; expected cpu, cuda or cuda:N.");
        }

        if (parts[0] == "cpu")
        {
            return CPU;
        }

        int cards = cuda.is_available() ? cuda.device_count() : 0;
        return index < cards
            ? new Device(DeviceType.CUDA, index)
            : throw new UserErrorException(cards == 0
                ? $"libtorch can use no CUDA device here, and '{name}' is asked for; `t2r doctor` says why."
                : $"'{name}' is not one of the {cards} CUDA devices, cuda:0 to cuda:{cards - 1}.");
    }
}
