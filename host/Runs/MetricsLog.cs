using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Zoo.Host.Runs;

/// <summary>
/// metrics.jsonl: one record a line, each written at once. What a full disk refuses is kept and written with the next record.
/// </summary>
internal sealed class MetricsLog : IDisposable
{
    private readonly FileStream _stream;
    private readonly Queue<byte[]> _pending = [];
    private long _length;

    private MetricsLog(FileStream stream)
    {
        _stream = stream;
        _length = stream.Seek(0, SeekOrigin.End);
    }

    /// <summary>Opens the log of a run that goes on after a step: what came later, a half-written line and the closing records go.</summary>
    /// <param name="path">The file; made where it is missing.</param>
    /// <param name="step">The checkpoint's step.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static MetricsLog Open(string path, long step)
    {
        if (File.Exists(path))
        {
            var kept = new StringBuilder();
            foreach (var record in Read(path).Where(r => IsKept(r, step)))
                kept.Append(record.ToJsonString()).Append('\n');
            Files.AtomicFile.Write(path, kept.ToString());
        }
        const FileShare anybody = FileShare.ReadWrite | FileShare.Delete;
        return new MetricsLog(new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, anybody, bufferSize: 0));
    }

    /// <summary>The records of a log; lines that are no whole records are left out.</summary>
    public static IEnumerable<JsonObject> Read(string path)
    {
        foreach (var line in File.ReadLines(path))
        {
            JsonObject? record = null;
            try
            {
                record = JsonText.Parse(line) as JsonObject;
            }
            catch (JsonException)
            {
                // the end of a run that was killed while it wrote
            }
            if (record is not null)
                yield return record;
        }
    }

    /// <summary>Adds a record.</summary>
    /// <returns>Whether it reached the file; if not, it is tried again with the next.</returns>
    public bool Add(JsonObject record)
    {
        _pending.Enqueue(Encoding.UTF8.GetBytes(record.ToJsonString() + "\n"));
        try
        {
            WritePending();
            return true;
        }
        catch (Exception e) when (TrainingRun.IsRefusal(e))
        {
            return false;
        }
    }

    /// <summary>Writes what is pending and flushes the file to the disk.</summary>
    /// <exception cref="IOException">The disk is full; nothing is forgotten.</exception>
    public void Flush()
    {
        WritePending();
        _stream.Flush(flushToDisk: true);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();

    private void WritePending()
    {
        while (_pending.TryPeek(out var line))
        {
            try
            {
                _stream.Write(line);
            }
            catch (Exception e) when (TrainingRun.IsRefusal(e))
            {
                _stream.SetLength(_length);   // no half lines
                _stream.Seek(_length, SeekOrigin.Begin);
                throw;
            }
            _length += line.Length;
            _pending.Dequeue();
        }
    }

    private static bool IsKept(JsonObject record, long step) =>
        record["step"] is JsonValue value && value.TryGetValue(out long at) && at <= step
        && record["final"] is null && record["event"]?.ToString() is "step" or "eval";
}
