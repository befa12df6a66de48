using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Data;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// The next character of a text: a window's targets are its characters moved by one. Probes language modelling. A row:
/// `" because it is pretty," " → "because it is pretty," h"`.
/// </summary>
internal sealed class CharLmTask : ITask
{
    private const string Name = "char-lm";

    public TaskInfo Info { get; } = new(Name, "The next character of any text, or of a generated one", ModelKind.TokenModel)
    {
        Skill = "language modelling: spelling, words, grammar",
        Example = "\" because it is pretty,\" \" → \"because it is pretty,\" h\"",
        ExampleOptions = ["length=24"],
        Chance = "log₂ of the number of characters in bits a character: 6.02 for the 65 of tiny Shakespeare",
        DataHelp = "a UTF-8 text file, or a folder of them; without it a text of simple English is generated",
    };

    public Settings Options { get; } = new TextOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((TextOptions)Options, request, Info);
        var corpus = request.DataPath is { } path ? TextCorpus.Read(path) : SimpleEnglish.Corpus;
        var ids = corpus.Characters(out var encoding);
        return new TextWindows<ushort>(
            ids, encoding, corpus, options, SampleRandom.Stream(Name, Info.Version), request.Seed);
    }
}
