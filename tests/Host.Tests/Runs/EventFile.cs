using System.Buffers.Binary;

namespace Zoo.Tests.Runs;

/// <summary>Reads TensorBoard's event files: frames with checksums, computed here bit by bit, and messages by the classes that TorchSharp brings.</summary>
internal static class EventFile
{
    /// <summary>The event files of a run folder, in the order in which TensorBoard reads them.</summary>
    public static IReadOnlyList<string> In(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*tfevents*").Order(StringComparer.Ordinal)];

    /// <summary>The events up to the end or a half-written one, as TensorBoard does it.</summary>
    public static IReadOnlyList<Tensorboard.Event> Read(string path)
    {
        var events = new List<Tensorboard.Event>();
        ReadOnlySpan<byte> rest = File.ReadAllBytes(path);
        while (rest.Length >= 12)
        {
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]), Is.EqualTo(MaskedCrc(rest[..8])), "checksum of a length");
            var length = (int)BinaryPrimitives.ReadInt64LittleEndian(rest);
            if (rest.Length < length + 16)
                break;
            var message = rest.Slice(12, length);
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(rest[(12 + length)..]), Is.EqualTo(MaskedCrc(message)), "checksum of a message");
            events.Add(Tensorboard.Event.Parser.ParseFrom(message.ToArray()));
            rest = rest[(length + 16)..];
        }
        return events;
    }

    /// <summary>What TensorBoard shows of several files: where a session starts, what was read of its step and later ones is dropped.</summary>
    public static IReadOnlyList<(long Step, string Tag, float Value)> Shown(IEnumerable<string> paths)
    {
        var shown = new List<(long Step, string Tag, float Value)>();
        foreach (var read in paths.SelectMany(Read))
        {
            if (read.SessionLog?.Status == Tensorboard.SessionLog.Types.SessionStatus.Start)
                shown.RemoveAll(s => s.Step >= read.Step);
            shown.AddRange((read.Summary?.Value ?? []).Select(v => (read.Step, v.Tag, v.SimpleValue)));
        }
        return shown;
    }

    private static uint MaskedCrc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0x82f63b78);   // Castagnoli's polynomial, reflected
        }
        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }
}
