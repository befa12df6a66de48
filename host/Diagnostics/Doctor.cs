using Zoo.Host.Plugins;

namespace Zoo.Host.Diagnostics;

/// <summary>Looks at everything that Zoo depends on and says how it is. Nothing here throws: what cannot be found out is a finding.</summary>
internal static class Doctor
{
    /// <summary>Every part, the ones that matter most first.</summary>
    /// <param name="plugins">Finds and loads the plugins.</param>
    public static IEnumerable<Diagnosis> Examine(Func<PluginCatalog> plugins) =>
        RuntimeDiagnoses.Examine()
            .Concat(LibTorchDiagnoses.Examine())
            .Concat(ProcessorDiagnoses.Examine())
            .Concat(CudaDiagnoses.Examine())
            .Concat(ResourceDiagnoses.Examine())
            .Concat(PluginDiagnoses.Examine(plugins));
}
