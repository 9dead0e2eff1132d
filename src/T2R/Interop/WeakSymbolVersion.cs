using System.Buffers.Binary;
using System.Text;

namespace T2R.Interop;

/// <summary>
/// Makes a symbol version that a shared library needs optional: the dynamic linker then loads the library although the system lacks that version.
/// Sets VER_FLG_WEAK in the section .gnu.version_r (Linux Standard Base, Core Generic, "Symbol Versioning"; System V ABI, "ELF Header").
/// </summary>
internal static class WeakSymbolVersion
{
    private const uint NeededVersions = 0x6ffffffe; // SHT_GNU_verneed
    private const ushort Weak = 0x2; // VER_FLG_WEAK

    /// <summary>Changes <paramref name="elf"/>, a little-endian ELF64 image, in place.</summary>
    /// <param name="elf">The whole file.</param>
    /// <param name="version">The needed version's name, such as GLIBCXX_3.4.32.</param>
    /// <exception cref="InvalidDataException">The bytes are no such image, an offset in it leads outside, or it does not need that version.</exception>
    public static void Set(Span<byte> elf, string version)
    {
        if (elf.Length < 64 || !elf[..6].SequenceEqual<byte>([0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1]))
        {
            throw new InvalidDataException("not a little-endian ELF64 file");
        }

        ulong sections = U64(elf, 0x28);
        ulong size = U16(elf, 0x3A), count = U16(elf, 0x3C);
        for (ulong i = 0; i < count; i++)
        {
            ulong header = sections + (i * size);
            if (U32(elf, header + 4) == NeededVersions && SetInSection(elf, header, sections + (U32(elf, header + 0x28) * size), version))
            {
                return;
            }
        }

        throw new InvalidDataException($"the file needs no version {version}");
    }

    // Two nested chains of offsets: Verneed, one a library, each with its Vernaux, one a version. Offsets are positive, so each chain ends in the file.
    private static bool SetInSection(Span<byte> elf, ulong header, ulong stringsHeader, string version)
    {
        ulong strings = U64(elf, stringsHeader + 0x18);
        ulong need = U64(elf, header + 0x18);
        while (true)
        {
            ulong aux = need + U32(elf, need + 8);
            for (int left = U16(elf, need + 2); left > 0; left--)
            {
                if (IsAt(elf, strings + U32(elf, aux + 8), version))
                {
                    Span<byte> flags = At(elf, aux + 4, 2);
                    BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(flags) | Weak));
                    return true;
                }

                aux += U32(elf, aux + 12);
            }

            uint next = U32(elf, need + 12);
            if (next == 0)
            {
                return false;
            }

            need += next;
        }
    }

    private static bool IsAt(Span<byte> elf, ulong at, string name)
    {
        // One byte more than the name, for the zero that ends it.
        Span<byte> rest = At(elf, at, 0);
        return rest.Length > name.Length && rest[name.Length] == 0 && rest[..name.Length].SequenceEqual(Encoding.ASCII.GetBytes(name));
    }

    private static ushort U16(Span<byte> elf, ulong at) => BinaryPrimitives.ReadUInt16LittleEndian(At(elf, at, 2));

    private static uint U32(Span<byte> elf, ulong at) => BinaryPrimitives.ReadUInt32LittleEndian(At(elf, at, 4));

    private static ulong U64(Span<byte> elf, ulong at) => BinaryPrimitives.ReadUInt64LittleEndian(At(elf, at, 8));

    private static Span<byte> At(Span<byte> elf, ulong at, uint length) =>
        at <= (ulong)elf.Length && length <= (ulong)elf.Length - at
            ? elf[(int)at..]
            : throw new InvalidDataException($"the ELF file ends before byte {at} + {length}");
}
