using T2R.Interop;
using Xunit;

namespace T2R.Tests.Interop;

public class WeakSymbolVersionTests
{
    // Where the parts of the image below lie.
    private const int Sections = 0x40, Strings = Sections + (3 * 0x40), Needs = Strings + 0x40, Image = Needs + 0x60;
    private const int FlagsOfB = Needs + 0x10 + 0x10 + 4;

    [Fact]
    public void Only_the_flags_of_the_named_version_change()
    {
        byte[] elf = SmallElf();
        byte[] expected = SmallElf();
        expected[FlagsOfB] = 2;
        WeakSymbolVersion.Set(elf, "B_2");
        Assert.Equal(expected, elf);
    }

    [Fact]
    public void A_version_of_the_second_library_is_found()
    {
        byte[] elf = SmallElf();
        WeakSymbolVersion.Set(elf, "C_3");
        Assert.Equal(2, elf[Needs + 0x30 + 0x10 + 4]);
    }

    [Theory]
    [InlineData("B")]
    [InlineData("B_22")]
    [InlineData("_2")]
    public void A_name_that_is_only_part_of_a_version_is_not_it(string version)
    {
        byte[] elf = SmallElf();
        var refusal = Assert.Throws<InvalidDataException>(() => WeakSymbolVersion.Set(elf, version == "_2" ? "_2\0" : version));
        Assert.Contains("needs no version", refusal.Message);
        Assert.Equal(SmallElf(), elf);
    }

    [Fact]
    public void Every_shorter_file_is_refused_or_changed_but_never_read_beyond()
    {
        for (int length = 0; length < Image; length++)
        {
            byte[] elf = SmallElf()[..length];
            try
            {
                WeakSymbolVersion.Set(elf, "C_3");
            }
            catch (InvalidDataException)
            {
                continue;
            }

            Assert.True(length > Needs, $"{length} bytes cannot hold the version");
        }
    }

    [Fact]
    public void Every_byte_replaced_by_any_other_ends_in_a_result_or_a_clear_refusal()
    {
        for (int at = 0; at < Image; at++)
        {
            foreach (byte value in new byte[] { 0, 1, 0x7f, 0x80, 0xff })
            {
                byte[] elf = SmallElf();
                elf[at] = value;
                Exception? thrown = Record.Exception(() => WeakSymbolVersion.Set(elf, "C_3"));
                Assert.True(thrown is null or InvalidDataException, $"byte {at} = {value}: {thrown}");
            }
        }
    }

    [Fact]
    public void A_text_file_is_refused()
    {
        byte[] text = new byte[200];
        Assert.Throws<InvalidDataException>(() => WeakSymbolVersion.Set(text, "A"));
    }

    // Header, three sections (none, .dynstr, .gnu.version_r), two libraries needed: one with versions A_1 and B_2, one with C_3.
    private static byte[] SmallElf()
    {
        byte[] elf = new byte[Image];
        "\u007fELF"u8.CopyTo(elf);
        elf[4] = 2;
        elf[5] = 1;
        BitConverter.TryWriteBytes(elf.AsSpan(0x28), (long)Sections);
        BitConverter.TryWriteBytes(elf.AsSpan(0x3A), (ushort)0x40);
        BitConverter.TryWriteBytes(elf.AsSpan(0x3C), (ushort)3);
        BitConverter.TryWriteBytes(elf.AsSpan(Sections + 0x40 + 0x18), (long)Strings);
        BitConverter.TryWriteBytes(elf.AsSpan(Sections + 0x80 + 4), 0x6ffffffe);
        BitConverter.TryWriteBytes(elf.AsSpan(Sections + 0x80 + 0x18), (long)Needs);
        BitConverter.TryWriteBytes(elf.AsSpan(Sections + 0x80 + 0x28), 1);
        "A_1\0B_2\0C_3\0"u8.CopyTo(elf.AsSpan(Strings));
        Need(elf, Needs, count: 2, next: 0x30);
        Version(elf, Needs + 0x10, name: 0, next: 0x10);
        Version(elf, Needs + 0x20, name: 4, next: 0);
        Need(elf, Needs + 0x30, count: 1, next: 0);
        Version(elf, Needs + 0x40, name: 8, next: 0);
        return elf;
    }

    private static void Need(byte[] elf, int at, ushort count, int next)
    {
        BitConverter.TryWriteBytes(elf.AsSpan(at), (ushort)1);
        BitConverter.TryWriteBytes(elf.AsSpan(at + 2), count);
        BitConverter.TryWriteBytes(elf.AsSpan(at + 8), 0x10);
        BitConverter.TryWriteBytes(elf.AsSpan(at + 12), next);
    }

    private static void Version(byte[] elf, int at, int name, int next)
    {
        BitConverter.TryWriteBytes(elf.AsSpan(at + 8), name);
        BitConverter.TryWriteBytes(elf.AsSpan(at + 12), next);
    }
}
