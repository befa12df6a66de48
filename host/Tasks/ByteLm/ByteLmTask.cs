using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Data;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// The next byte of a text or any other file. Probes language modelling with one vocabulary for everything. A row:
/// `110 115 119 101 114 101 100 46 → 115 119 101 114 101 100 46 32`.
/// </summary>
internal sealed class ByteLmTask : ITask
{
    private const string Name = "byte-lm";

    public TaskInfo Info { get; } = new(Name, "The next byte of any file, or of a generated text", ModelKind.TokenModel)
    {
        Skill = "language modelling with one vocabulary of 256 for every text and file",
        Example = "110 115 119 101 114 101 100 46 → 115 119 101 114 101 100 46 32",
        ExampleOptions = ["length=8"],
        Chance = "8 bits a byte",
        DataHelp = "a file, or a folder of them; without it a text of simple English is generated",
    };

    public Settings Options { get; } = new TextOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((TextOptions)Options, request, Info);
        var corpus = request.DataPath is { } path ? TextCorpus.Read(path) : SimpleEnglish.Corpus;
        return new TextWindows<byte>(
            corpus.Bytes, ByteEncoding.Instance, corpus, options, SampleRandom.Stream(Name, Info.Version), request.Seed);
    }
}
