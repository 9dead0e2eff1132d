using System.Buffers.Binary;
using System.Text;

namespace T2R.Tests.Checkpoints;

/// <summary>SafeTensors files put together byte by byte, so that they can be wrong.</summary>
internal static class RawSafeTensors
{
    public static byte[] Bytes(string header, int dataBytes) => Bytes(Encoding.UTF8.GetBytes(header), dataBytes);

    public static byte[] Bytes(byte[] header, int dataBytes)
    {
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. Enumerable.Range(0, dataBytes).Select(i => (byte)i)];
    }

    /// <summary>A header with one tensor <c>w</c>.</summary>
    public static string One(string dtype = "F32", string shape = "[2,3]", string offsets = "[0,24]") =>
        $$$"""{"w":{"dtype":"{{{dtype}}}","shape":{{{shape}}},"data_offsets":{{{offsets}}}}}""";
}
