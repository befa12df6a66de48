using Zoo.Host.Plugins;

namespace Zoo.Host.Diagnostics;

/// <summary>Where plugins are looked for, and what was found.</summary>
internal static class PluginDiagnoses
{
    public static IEnumerable<Diagnosis> Examine(Func<PluginCatalog> load)
    {
        PluginCatalog? plugins = null;
        Diagnosis? failure = null;
        try
        {
            plugins = load();
        }
        catch (UserException e)
        {
            failure = new Diagnosis("plugins", DiagnosisStatus.Missing, e.Message) { Hint = "Mend --plugins or ZOO_PLUGINS.", Mistake = e };
        }
        if (failure is not null)
        {
            yield return failure;
            yield break;
        }
        foreach (var folder in plugins!.Folders)
        {
            var exists = Directory.Exists(folder.Path);
            yield return new Diagnosis("plugin folder", DiagnosisStatus.Ok, exists ? folder.Path : $"{folder.Path} (not there, and need not be)");
        }
        var disabled = plugins.Disabled.Count;
        var none = plugins.Plugins.Count == 0;
        yield return new Diagnosis("plugins", none ? DiagnosisStatus.Missing : disabled > 0 ? DiagnosisStatus.Hint : DiagnosisStatus.Ok,
            $"{plugins.Plugins.Count} loaded{(disabled > 0 ? $", {disabled} disabled" : "")}{(none ? "" : ": " + string.Join(", ", plugins.Plugins.Select(p => p.Name)))}")
        {
            Hint = disabled > 0 ? "`zoo plugins` says why." : none ? "Put a plugin's DLL or folder into one of the folders above, or name one with --plugins." : null,
        };
    }
}
