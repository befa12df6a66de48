using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json.Nodes;

namespace Zoo.Host.Runs;

/// <summary>
/// A run's records as TensorBoard reads them: an event file a session, one write an event, so that a killed run leaves a readable file.
/// A file that goes on after a step says so, and TensorBoard drops what earlier files have of later steps.
/// </summary>
/// <remarks>
/// Not by TorchSharp's writer: it gives times in ticks where TensorBoard expects seconds (a time of the caller's own passes as float, to
/// about two minutes), cannot mark where a resumed run goes on, and opens and closes the file for each number. The messages are few and
/// fixed (tensorflow/core/util/event.proto), so they are put together here; loading protobuf would take longer than a short training.
/// </remarks>
internal sealed class TensorBoardLog : IDisposable
{
    /// <summary>What the names of event files begin with; TensorBoard reads them in the order of their names.</summary>
    public const string Prefix = "events.out.tfevents.";

    private const string FileVersion = "brain.Event:2";
    private const byte SessionStart = 1;
    private readonly FileStream _stream;
    private readonly TimeProvider _clock;
    private readonly Queue<byte[]> _pending = [];
    private long _length;

    private TensorBoardLog(FileStream stream, TimeProvider clock) => (_stream, _clock) = (stream, clock);

    /// <summary>Begins a file in a run folder.</summary>
    /// <param name="folder">The run folder.</param>
    /// <param name="step">Steps done so far; above 0 the run goes on.</param>
    /// <param name="clock">The system's unless given.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static TensorBoardLog Open(string folder, long step, TimeProvider? clock = null)
    {
        clock ??= TimeProvider.System;
        var older = Directory.EnumerateFiles(folder, Prefix + "*").Select(p => Path.GetFileName(p)[Prefix.Length..]).ToList();
        var newest = older.Select(name => long.TryParse(name.Split('.')[0], CultureInfo.InvariantCulture, out var at) ? at : 0).DefaultIfEmpty().Max();
        var seconds = Math.Max(clock.GetUtcNow().ToUnixTimeSeconds(), newest + 1);   // so that names sort as the sessions came
        var path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{seconds}.zoo.{Environment.ProcessId}.{older.Count}"));
        var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        var log = new TensorBoardLog(stream, clock);
        log.Append(log.Event(0, Text(3, FileVersion)));
        if (older.Count > 0)
            log.Append(log.Event(step + 1, Message(7, Varint(1, SessionStart))));
        return log;
    }

    /// <summary>Adds a record of metrics.jsonl: a step's numbers as train/…, an evaluation's as eval/….</summary>
    /// <returns>Whether it reached the file; if not, it is tried again with the next.</returns>
    public bool Add(JsonObject record)
    {
        var scalars = record["metrics"] is JsonObject metrics
            ? metrics.Select(m => Scalar($"eval/{m.Key}", m.Value))
            : record.Where(p => p.Key is "loss" or "lr" or "tokens_per_second" or "peak_memory_bytes").Select(p => Scalar($"train/{p.Key}", p.Value));
        byte[] summary = [.. scalars.SelectMany(s => s)];
        return summary.Length == 0 || Append(Event(record["step"]!.GetValue<long>(), Message(5, summary)));
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();

    private bool Append(byte[] message)
    {
        _pending.Enqueue(Frame(message));
        try
        {
            while (_pending.TryPeek(out var frame))
            {
                _stream.Write(frame);
                _length += frame.Length;
                _pending.Dequeue();
            }
            return true;
        }
        catch (Exception e) when (e is IOException or ArgumentOutOfRangeException)   // the latter for a limit on the size of files
        {
            _stream.SetLength(_length);   // no half events
            _stream.Seek(_length, SeekOrigin.Begin);
            return false;
        }
    }

    /// <summary>Length, its checksum, the message, its checksum.</summary>
    private static byte[] Frame(byte[] message)
    {
        var frame = new byte[message.Length + 16];
        BinaryPrimitives.WriteInt64LittleEndian(frame, message.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(8), MaskedCrc(frame.AsSpan(0, 8)));
        message.CopyTo(frame, 12);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(12 + message.Length), MaskedCrc(message));
        return frame;
    }

    private static uint MaskedCrc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }

    private byte[] Event(long step, byte[] content)
    {
        var time = new byte[9];
        time[0] = 1 << 3 | 1;
        BinaryPrimitives.WriteDoubleLittleEndian(time.AsSpan(1), _clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);
        return [.. time, .. Varint(2, step), .. content];
    }

    /// <summary>A value of a summary; nothing where the number is not finite, which metrics.jsonl has as null.</summary>
    private static byte[] Scalar(string tag, JsonNode? value)
    {
        if (value is null)
            return [];
        var number = new byte[5];
        number[0] = 2 << 3 | 5;
        BinaryPrimitives.WriteSingleLittleEndian(number.AsSpan(1), value.AsValue().TryGetValue(out long whole) ? whole : (float)value.GetValue<double>());
        return Message(1, [.. Text(1, tag), .. number]);
    }

    private static byte[] Text(int field, string text) => Message(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Message(int field, byte[] content) => [.. Number((ulong)field << 3 | 2), .. Number((ulong)content.Length), .. content];

    private static byte[] Varint(int field, long value) => [.. Number((ulong)field << 3), .. Number((ulong)value)];

    private static IEnumerable<byte> Number(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            yield return (byte)(value | 0x80);
        yield return (byte)value;
    }
}
