using System.Buffers.Binary;
using System.Text;

namespace Zoo.Native;

/// <summary>Edits the table of symbol versions that a 64-bit little-endian ELF library needs.</summary>
internal static class ElfVersionNeeds
{
    private const uint GnuVersionNeed = 0x6ffffffe;   // SHT_GNU_verneed
    private const ushort Weak = 2;                    // VER_FLG_WEAK
    private const int SectionHeaderSize = 64;

    /// <summary>Marks every need for <paramref name="version"/> weak, so that a system without it still loads the library.</summary>
    /// <param name="image">The library's bytes, changed in place.</param>
    /// <returns>Whether there was such a need.</returns>
    public static bool Weaken(Span<byte> image, string version)
    {
        if (image.Length < SectionHeaderSize || !image[..4].SequenceEqual("\u007fELF"u8))
            return false;
        var sections = checked((int)BinaryPrimitives.ReadInt64LittleEndian(image[0x28..]));
        var sectionCount = BinaryPrimitives.ReadUInt16LittleEndian(image[0x3C..]);
        var wanted = Encoding.ASCII.GetBytes(version + "\0");
        var found = false;
        for (var i = 0; i < sectionCount; i++)
        {
            var header = sections + i * SectionHeaderSize;
            if (BinaryPrimitives.ReadUInt32LittleEndian(image[(header + 4)..]) != GnuVersionNeed)
                continue;
            var stringsHeader = sections + BinaryPrimitives.ReadInt32LittleEndian(image[(header + 40)..]) * SectionHeaderSize;
            found |= WeakenSection(image, SectionOffset(image, header), SectionOffset(image, stringsHeader), wanted);
        }
        return found;
    }

    /// <summary>Walks the linked records: one a library needed, each with one entry a version needed of it.</summary>
    private static bool WeakenSection(Span<byte> image, int need, int strings, ReadOnlySpan<byte> wanted)
    {
        var found = false;
        while (true)
        {
            int count = BinaryPrimitives.ReadUInt16LittleEndian(image[(need + 2)..]);
            var entry = need + BinaryPrimitives.ReadInt32LittleEndian(image[(need + 8)..]);
            for (var i = 0; i < count; i++)
            {
                var name = strings + BinaryPrimitives.ReadInt32LittleEndian(image[(entry + 8)..]);
                if (image.Slice(name, wanted.Length).SequenceEqual(wanted))
                {
                    var flags = BinaryPrimitives.ReadUInt16LittleEndian(image[(entry + 4)..]);
                    BinaryPrimitives.WriteUInt16LittleEndian(image[(entry + 4)..], (ushort)(flags | Weak));
                    found = true;
                }
                entry += BinaryPrimitives.ReadInt32LittleEndian(image[(entry + 12)..]);
            }
            var next = BinaryPrimitives.ReadInt32LittleEndian(image[(need + 12)..]);
            if (next == 0)
                return found;
            need += next;
        }
    }

    private static int SectionOffset(ReadOnlySpan<byte> image, int header) =>
        checked((int)BinaryPrimitives.ReadInt64LittleEndian(image[(header + 24)..]));
}
