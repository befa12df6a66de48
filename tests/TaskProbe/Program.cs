using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.Configuration;
using Zoo.Host.Plugins;
using Zoo.Host.Tasks;
using Zoo.Host.Training;
using Zoo.Native;
using Zoo.Tasks;

namespace Zoo.Tests;

/// <summary>
/// Says which samples every installed task gives: a line "task, set, position, hash" for each. Arguments: threads, batch size, samples a set, and
/// the position at which the task is closed and opened again, as a resumed run does.
/// </summary>
internal static class Program
{
    private const int Seed = 7;

    public static void Main(string[] args)
    {
        var numbers = Array.ConvertAll(args, text => int.Parse(text, CultureInfo.InvariantCulture));
        var (threads, batch, count, resumeAt) = (numbers[0], numbers[1], numbers[2], numbers[3]);
        LibTorch.Load();
        torch.set_num_threads(threads);
        var folders = PluginFolders.Find([], Environment.GetEnvironmentVariable(PluginFolders.Variable));
        using var plugins = PluginCatalog.Load(new PluginSearch(folders) { HostTasks = [.. HostTasks.All.Select(t => t.Info.Name)] });
        foreach (var task in HostTasks.All.Concat(plugins.Tasks))
        {
            Print(task, batch, 0, resumeAt);
            Print(task, batch, resumeAt, count);
        }
    }

    private static void Print(ITask task, int batchSize, int first, int end)
    {
        using var data = task.Open(new TaskRequest { Options = Small(task), Seed = Seed });
        var order = new ExampleOrder(data.TrainingCount, data.Training.Shuffle ?? true, Seed);
        var sets = data.HeldOut.Prepend(new HeldOutSet("training", long.MaxValue));
        foreach (var set in sets)
        {
            for (var start = first; start < Math.Min(end, set.Count); start += batchSize)
            {
                using var scope = torch.NewDisposeScope();
                var indices = new long[(int)Math.Min(batchSize, Math.Min(end, set.Count) - start)];
                if (set.Name == "training")
                    order.Fill(start, indices);
                else
                    indices = [.. Enumerable.Range(start, indices.Length).Select(i => (long)i)];
                using var batch = set.Name == "training" ? data.TrainingBatch(indices) : data.HeldOutBatch(set, indices);
                for (var row = 0; row < indices.Length; row++)
                    Console.WriteLine($"{task.Info.Name} {set.Name} {start + row} {Hash(batch, row)}");
            }
        }
    }

    /// <summary>Few examples, where a task says how many it makes.</summary>
    private static JsonObject Small(ITask task)
    {
        var options = new JsonObject();
        foreach (var key in new[] { "train_count", "test_count" })
        {
            if (ConfigJson.Has(ConfigJson.Write(task.Options), key))
                options[key] = 50;
        }
        return options;
    }

    private static string Hash(Batch batch, int row) => batch switch
    {
        TokenBatch tokens => Hash([Row(tokens.Ids, row), Scored(tokens, row)]),
        VectorBatch vectors => Hash([Row(vectors.Inputs, row), Row(vectors.Labels, row)]),
        ImageBatch images => Hash([Row(images.Images, row), Row(images.Labels, row)]),
        _ => throw new NotSupportedException($"A {batch.GetType().Name} is not known here."),
    };

    private static string Hash(byte[][] parts) => Convert.ToHexString(SHA256.HashData([.. parts.SelectMany(p => p)]));

    /// <summary>Shape and content of an example.</summary>
    private static byte[] Row(torch.Tensor tensor, int row)
    {
        using var example = tensor[row].cpu().contiguous();
        return [.. example.shape.SelectMany(BitConverter.GetBytes), .. example.bytes.ToArray()];
    }

    /// <summary>Positions within the row, and targets.</summary>
    private static byte[] Scored(TokenBatch tokens, int row)
    {
        var width = tokens.Ids.shape[1];
        return
        [
            .. tokens.ScoredPositions.data<long>().ToArray().Zip(tokens.Targets.data<long>().ToArray())
                .Where(scored => scored.First / width == row)
                .SelectMany(scored => (byte[])[.. BitConverter.GetBytes(scored.First % width), .. BitConverter.GetBytes(scored.Second)]),
        ];
    }
}
