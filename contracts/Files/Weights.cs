using TorchSharp;

namespace Zoo.Files;

/// <summary>A model's weights as projects publish them: one safetensors file, several with an index, or a folder with either.</summary>
public sealed class Weights : IDisposable
{
    private const string FileName = "model.safetensors";
    private const string IndexName = "model" + SafeTensorsShards.IndexEnding;
    private const string ConfigName = "config.json";

    private readonly OrderedDictionary<string, SafeTensorsFile> _located;
    private readonly IReadOnlyList<SafeTensorsFile> _files;

    private Weights(string path, OrderedDictionary<string, SafeTensorsFile> located, IReadOnlyList<SafeTensorsFile> files)
    {
        Path = path;
        _located = located;
        _files = files;
        var config = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(files[0].Path))!, ConfigName);
        ConfigPath = File.Exists(config) ? config : null;
    }

    /// <summary>The file, index or folder, as it was opened.</summary>
    public string Path { get; }

    /// <summary>The config.json beside the weights, or null when there is none.</summary>
    public string? ConfigPath { get; }

    /// <summary>The free text in the header; the first file's where there are several.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _files[0].Metadata;

    /// <summary>The names of the tensors, in the order of the header or the index.</summary>
    public IReadOnlyList<string> Names => _located.Keys;

    /// <summary>Opens weights and checks every header.</summary>
    /// <param name="path">A .safetensors file, a .safetensors.index.json, or a folder that holds model.safetensors or its index.</param>
    /// <exception cref="BadFileException">There are none, they are pickled, malformed, or not all there.</exception>
    public static Weights Open(string path)
    {
        var file = Directory.Exists(path) ? InFolder(path) : path;
        if (file.EndsWith(SafeTensorsShards.IndexEnding, StringComparison.Ordinal))
        {
            var located = SafeTensorsShards.Open(file);
            return new Weights(path, located, [.. located.Values.Distinct()]);
        }
        if (File.Exists(file) && ForeignFile.HasPickleName(file))
            throw Pickled(file);
        var opened = SafeTensorsFile.Open(file);
        var one = new OrderedDictionary<string, SafeTensorsFile>(StringComparer.Ordinal);
        foreach (var name in opened.Names)
            one.Add(name, opened);
        return new Weights(path, one, [opened]);
    }

    /// <summary>The tensor's description, or null when there is none of that name.</summary>
    public SafeTensorInfo? Find(string name) => _located.GetValueOrDefault(name)?.Find(name);

    /// <summary>A tensor, as <see cref="SafeTensorsFile.Load(string)"/> gives it. The caller disposes it.</summary>
    /// <exception cref="BadFileException">There is none of that name, or its data cannot be of its dtype.</exception>
    /// <exception cref="EnvironmentException">The file cannot be mapped into memory.</exception>
    public torch.Tensor Load(string name) => _located.TryGetValue(name, out var file)
        ? file.Load(name)
        : throw new BadFileException($"'{Path}' has no tensor {SafeTensorsHeader.Quote(name)}.{Zoo.Names.DidYouMean(name, Names)}");

    /// <summary>Every tensor. The caller disposes them.</summary>
    /// <exception cref="BadFileException">As <see cref="Load"/>.</exception>
    /// <exception cref="EnvironmentException">As <see cref="Load"/>.</exception>
    public NamedTensors LoadAll()
    {
        var tensors = new NamedTensors();
        try
        {
            foreach (var (name, file) in _located)
                tensors.Add(name, file.Load(name));
        }
        catch
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
            throw;
        }
        return tensors;
    }

    /// <summary>Closes the files. Tensors that were loaded stay as they are.</summary>
    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    private static string InFolder(string folder)
    {
        foreach (var name in (string[])[FileName, IndexName])
        {
            if (File.Exists(System.IO.Path.Combine(folder, name)))
                return System.IO.Path.Combine(folder, name);
        }
        string[] files;
        try
        {
            files = [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"The folder '{folder}' cannot be read: {FileTrouble.Words(e)}", e);
        }
        var none = $"The folder '{folder}' has no {FileName} and no {IndexName}.";
        if (Array.FindAll(files, f => f.EndsWith(".safetensors", StringComparison.Ordinal)) is { Length: > 0 } others)
        {
            const int most = 5;
            var names = string.Join(", ", others.Take(most).Select(System.IO.Path.GetFileName));
            throw new BadFileException($"{none} Name the file that is meant: {names}{(others.Length > most ? " …" : "")}.");
        }
        if (Array.Find(files, ForeignFile.HasPickleName) is { } pickle)
            throw new BadFileException($"{none} It has a pickled checkpoint. {ForeignFile.ConversionLine(pickle)}.");
        throw new BadFileException(none);
    }

    private static BadFileException Pickled(string path) => new(
        $"'{path}' is a pickled checkpoint by its name, and reading a pickle can run code. {ForeignFile.ConversionLine(path)}.");
}
