using System.CommandLine;
using Zoo.Host.Diagnostics;

namespace Zoo.Host.Cli;

/// <summary>`zoo doctor`: the environment in plain words.</summary>
internal sealed class DoctorCommand() : ZooCommand("doctor", "The environment in plain words: libtorch, C++ runtime, processor, CUDA, memory, disk, plugins.")
{
    public override int Run(ParseResult arguments, Session session)
    {
        var output = session.Output;
        var lacking = new List<string>();
        UserException? mistake = null;
        foreach (var diagnosis in Doctor.Examine(() => session.Plugins))
        {
            output.Record(diagnosis.ToJson());
            if (!output.Json)
                Say(output, diagnosis);
            if (diagnosis is { Needed: true, Status: DiagnosisStatus.Missing })
                lacking.Add(diagnosis.Part);
            mistake ??= diagnosis.Mistake;
        }
        if (lacking.Count == 0)
            return mistake is null ? ExitCode.Done : throw mistake;
        output.Error($"Zoo cannot work here: {string.Join(", ", lacking)} {(lacking.Count == 1 ? "is" : "are")} missing.");
        return ExitCode.BadEnvironment;
    }

    private static void Say(Output output, Diagnosis diagnosis)
    {
        output.Say($"{diagnosis.Status.ToString().ToLowerInvariant(),-7}  {diagnosis.Part,-13}  {diagnosis.Finding}");
        if (diagnosis.Hint is { } hint)
            output.Say($"{"",-24}{hint}");
    }
}
