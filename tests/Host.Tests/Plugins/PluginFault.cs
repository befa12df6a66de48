using Zoo.Host.Plugins;
using Zoo.Native;

namespace Zoo.Tests.Plugins;

/// <summary>A way for a plugin to be broken: how to install it, and the sentence that must come of it.</summary>
/// <param name="Name">The fault.</param>
/// <param name="Install">Installs it into a sandbox, and says which plugin must be disabled and with which reason.</param>
internal sealed record PluginFault(string Name, Func<PluginSandbox, (string Plugin, string Reason)> Install)
{
    private static readonly string Host = VersionRule.HostContract;

    private static IReadOnlyList<PluginFault> OnUnix =>
    [
        new("DLL that others can write to", sandbox =>
        {
            // The folder's own mode is right; the file's is not.
            var path = sandbox.Write("Writable.dll", PluginSandbox.Dll("Twin"));
            PluginSandbox.Permit(path, UnixFileMode.OtherWrite);
            return ("Writable", $"others can write to '{path}' (mode 0646), so its code could be anybody's. " +
                $"Run `chmod go-w '{path}'` once you trust what is in it.");
        }),
    ];

    /// <summary>Every way that needs nothing but files.</summary>
    public static IReadOnlyList<PluginFault> All { get; } =
    [
        new("corrupt DLL", sandbox =>
        {
            var whole = PluginSandbox.Dll("Fine");
            var path = sandbox.Write("Corrupt.dll", whole[..(whole.Length / 3)]);
            return ("Corrupt", $"'{path}' is damaged, or no .NET assembly: its metadata cannot be read. Build or download it again.");
        }),
        new("empty DLL", sandbox =>
        {
            var path = sandbox.Write("Empty.dll", []);
            return ("Empty", $"'{path}' is empty. Build or download it again.");
        }),
        new("text named like a DLL", sandbox =>
        {
            var path = sandbox.Write("Text.dll", "Not a program at all.\n"u8.ToArray());
            return ("Text", $"'{path}' is damaged, or no .NET assembly: its metadata cannot be read. Build or download it again.");
        }),
        new("native library", sandbox =>
        {
            var path = sandbox.Write("Native.dll", [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, .. new byte[64]]);
            return ("Native", $"'{path}' is a native library (ELF), not a .NET assembly.");
        }),
        new(".NET assembly that is no plugin", sandbox =>
        {
            sandbox.Write("NUnit.dll", File.ReadAllBytes(typeof(TestAttribute).Assembly.Location));
            return ("nunit.framework", "it is not a Zoo plugin: the versions that the Zoo.Contracts package writes into a plugin are not in it. " +
                "Build it with that package; what a plugin merely needs belongs into a folder named like the plugin, beside its DLL.");
        }),
        new("folder without its DLL", sandbox =>
        {
            var folder = sandbox.Install("Twin");
            Directory.Move(folder, Path.Combine(sandbox.Folder, "Renamed"));
            return ("Renamed", $"there is no 'Renamed.dll' in the folder '{Path.Combine(sandbox.Folder, "Renamed")}'. " +
                "A plugin's folder has its DLL's name and holds it directly.");
        }),
        new("newer contract", sandbox =>
        {
            sandbox.Install("NewerContract");
            return ("NewerContract", $"it needs Zoo.Contracts 99.0.0 and this host has {Host}. " +
                $"Use NewerContract built for {Host[..Host.LastIndexOf('.')]}, or a host that provides 99.0.");
        }),
        new("another TorchSharp", sandbox =>
        {
            sandbox.Install("OtherTorchSharp");
            return ("OtherTorchSharp", $"it was built against TorchSharp 0.105.0 and this host has {LibTorch.TorchSharpVersion}. " +
                "Build it again with this host's Zoo.Contracts, which brings the right one.");
        }),
        new("private copy of the contract", sandbox =>
        {
            sandbox.Install("PrivateContract");
            var copy = sandbox.AddPrivateContract("PrivateContract");
            return ("PrivateContract", "it carries its own 'Zoo.Contracts.dll', whose types are not this host's. " +
                $"Delete '{copy}', or build the plugin with the Zoo.Contracts package, which leaves it out.");
        }),
        new("missing dependency", sandbox =>
        {
            var folder = sandbox.Install("MissingDependency");
            File.Delete(Path.Combine(folder, "Dependency.dll"));
            return ("MissingDependency", $"it needs Dependency 0.1.0.0, which is not in '{folder}'. " +
                "Copy all that the plugin's build gave into a folder of its name, not the DLL alone.");
        }),
        new("missing native library", sandbox =>
        {
            var folder = sandbox.Install("MissingNative");
            return ("MissingNative", $"it needs the native library '{NativeAsset}', which is not in '{folder}'. " +
                "Copy all that the plugin's build gave, its 'runtimes' folder included.");
        }),
        new("damaged deps.json", sandbox =>
        {
            // A DLL of its own name, so that it can lie beside every other fault.
            var folder = sandbox.Install("Twin");
            var list = Path.Combine(folder, "Twin.deps.json");
            File.WriteAllText(list, "{\"targets\":");
            return ("Twin", $"'{list}' is damaged: it is not the list of dependencies that a build writes. Build the plugin again.");
        }),
        new("type that this contract lacks", sandbox =>
        {
            sandbox.Install("MissingType");
            return ("MissingType", "its types do not fit this host. TypeLoadException: Could not load type 'Zoo.FutureBase' from assembly " +
                $"'Zoo.Contracts, Version=0.1.0.0, Culture=neutral, PublicKeyToken=null'. It was built against Zoo.Contracts {Host}, " +
                $"and this host has {Host}; build it again.");
        }),
        new("throwing constructor", sandbox =>
        {
            sandbox.Install("ThrowingConstructor");
            return ("ThrowingConstructor", "the constructor of Zoo.Faulty.ThrowingConstructorArchitecture failed. " +
                "InvalidOperationException: the table of weights is [31mempty.");
        }),
        new("throwing ConfigureServices", sandbox =>
        {
            sandbox.Install("ThrowingServices");
            return ("ThrowingServices", "Zoo.Faulty.ThrowingServicesPlugin.ConfigureServices failed. " +
                "NotSupportedException: no services on this machine.");
        }),
        new("bad description", sandbox =>
        {
            sandbox.Install("BadDescription");
            return ("BadDescription", "bad-description has no preset 'paper', which is its default; it has tiny. " +
                "bad-description's alias has the name '../bad', which is not allowed: letters, digits, '.', '_' and '-', not starting with '.' or '-'. " +
                "bad-description's preset 'tiny' is wrong: num_classes is 1; it must be at least 2.");
        }),
        new("recipes that cannot be named", sandbox =>
        {
            sandbox.Install("BadRecipe");
            return ("BadRecipe", "Zoo.Faulty.BadRecipePlugin+ClimbingRecipe's recipe has the name '../climbing', which is not allowed: letters, digits, '.', '_' and '-', " +
                "not starting with '.' or '-'. Zoo.Faulty.BadRecipePlugin+NamelessRecipe fails when it is asked what it is. NotSupportedException: no table on this machine.");
        }),
        new("op that does not say what its kernels fill", sandbox =>
        {
            sandbox.Install("BadOp");
            return ("BadOp", "its op 'unfilled' has kernels, and Zoo.Faulty.BadOpPlugin+UnfilledOp does not override OutputSpecs, which says what they fill.");
        }),
        new("no architecture", sandbox =>
        {
            sandbox.Install("NoArchitecture");
            return ("NoArchitecture", "no class in it implements IModelArchitecture or IZooPlugin, so it adds nothing. " +
                "An abstract or generic class does not count.");
        }),
        new("two architectures of one name", sandbox =>
        {
            sandbox.Install("Rival");
            return ("Rival", "its architecture 'fine' has a name that plugin 'Fine' " +
                $"({Path.Combine(sandbox.Folder, "Fine", "Fine.dll")}) uses already. Remove one of them; {PluginFolders.Order}.");
        }),
        new("links in a circle", sandbox =>
        {
            var (one, two) = (Path.Combine(sandbox.Folder, "Circle"), Path.Combine(sandbox.NewFolder("elsewhere"), "two"));
            Directory.CreateSymbolicLink(one, two);
            Directory.CreateSymbolicLink(two, one);
            return ("Circle", $"it cannot be read: '{one}' is a link that leads in a circle.");
        }),
        .. OperatingSystem.IsWindows() ? (IReadOnlyList<PluginFault>)[] : OnUnix,
    ];

    private static string NativeAsset =>
        OperatingSystem.IsWindows() ? "runtimes/win-x64/native/zoofaulty.dll"
        : OperatingSystem.IsMacOS() ? "runtimes/osx-arm64/native/libzoofaulty.dylib"
        : System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64
            ? "runtimes/linux-arm64/native/libzoofaulty.so"
            : "runtimes/linux-x64/native/libzoofaulty.so";

    public override string ToString() => Name;
}
