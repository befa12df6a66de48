using Zoo.Files;

namespace Zoo.Data;

/// <summary>
/// Files of handwritten digits that were found where the user pointed: MNIST or USPS, with lists of examples where there are any.
/// </summary>
public sealed class DigitData
{
    private const int MnistSide = 28;

    private static readonly string[] MnistParts = ["train-images", "train-labels", "t10k-images", "t10k-labels"];
    private static readonly string[] UspsParts = ["zip.train", "zip.test"];
    private static readonly string[] MnistFolders = ["", "mnist", "MNIST", Path.Combine("MNIST", "raw")];
    private static readonly string[] UspsFolders = ["", "usps", "USPS"];

    private readonly string[] _files;   // in the order of the format's parts

    private DigitData(DigitFormat format, string folder, string[] files, string description, string? listFolder)
    {
        (Format, Folder, _files, Description) = (format, folder, files, description);
        if (listFolder is not null)
            (TrainingList, TestList) = (Path.Combine(listFolder, "train-indices.txt"), Path.Combine(listFolder, "test-indices.txt"));
    }

    /// <summary>Which set it is.</summary>
    public DigitFormat Format { get; }

    /// <summary>The folder that the files are in.</summary>
    public string Folder { get; }

    /// <summary>What was taken, for the run's record: "MNIST from data/mnist (USPS in data/usps is not used)".</summary>
    public string Description { get; }

    /// <summary>train-indices.txt, which chooses training examples of MNIST; null where there is none.</summary>
    public string? TrainingList { get; }

    /// <summary>test-indices.txt, which chooses test examples of MNIST; null where there is none.</summary>
    public string? TestList { get; }

    /// <summary>Finds the digits that <paramref name="path"/> names; reads none yet.</summary>
    /// <param name="path">
    /// A folder with MNIST's four files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte;
    /// also spelt with a dot before "idx", also with .gz), a folder with zip.train and zip.test of USPS (also with .gz), one of these
    /// files, or a folder over them: mnist/, MNIST/, MNIST/raw/, usps/ or USPS/. MNIST is preferred. The lists train-indices.txt and
    /// test-indices.txt are looked for in MNIST's folder, in <paramref name="path"/>, and in a folder lenet1989/ in either of them or
    /// beside MNIST's.
    /// </param>
    /// <exception cref="BadFileException">There is nothing of the kind; the message says what was looked for and what is there.</exception>
    public static DigitData Find(string path)
    {
        if (File.Exists(path))
            return FindBeside(path);
        if (!Directory.Exists(path))
            throw new BadFileException($"'{path}' does not exist; name a folder with the files of MNIST or USPS, or one of the files.");
        if (FindIn(path, DigitFormat.Mnist, named: null) is { } mnist)
            return Mnist(mnist, path, UspsFolders.Select(folder => Path.Combine(path, folder)).FirstOrDefault(IsUspsFolder));
        return FindIn(path, DigitFormat.Usps, named: null) is { } usps ? Usps(usps)
            : throw new BadFileException($"'{path}' has no digits: looked for MNIST (train-images-idx3-ubyte, … with or without .gz, " +
                $"there or in mnist/ or MNIST/raw/) and USPS (zip.train, zip.test with or without .gz, there or in usps/); " +
                $"{Inventory(path)}.");
    }

    /// <summary>Reads MNIST.</summary>
    /// <exception cref="BadFileException">A file is damaged, or of another set.</exception>
    /// <exception cref="InvalidOperationException"><see cref="Format"/> is another.</exception>
    public (GreyImages Training, GreyImages Test) ReadMnist()
    {
        Require(DigitFormat.Mnist);
        return (Read(_files[0], _files[1]), Read(_files[2], _files[3]));

        GreyImages Read(string imagesPath, string labelsPath)
        {
            var images = IdxFile.Read(imagesPath, labelsPath, Description);
            if (images.Count == 0)
                throw new BadFileException($"'{imagesPath}' has no images; get it again.");
            return images.Height == MnistSide && images.Width == MnistSide ? images
                : throw new BadFileException($"'{imagesPath}' has images of {images.Height} × {images.Width}; MNIST's are {MnistSide} × " +
                    $"{MnistSide}. Name a set of that size.");
        }
    }

    /// <summary>Reads USPS.</summary>
    /// <exception cref="BadFileException">A file is damaged.</exception>
    /// <exception cref="InvalidOperationException"><see cref="Format"/> is another.</exception>
    public (UspsDigits Training, UspsDigits Test) ReadUsps()
    {
        Require(DigitFormat.Usps);
        return (UspsFile.Read(_files[0], Description), UspsFile.Read(_files[1], Description));
    }

    /// <summary>Reads the lists that choose examples; null where there are none.</summary>
    /// <param name="trainingCount">Examples in the training set.</param>
    /// <param name="testCount">Examples in the test set.</param>
    /// <exception cref="BadFileException">A list is damaged; the message names the line.</exception>
    public (int[] Training, int[] Test)? ReadLists(int trainingCount, int testCount) =>
        TrainingList is null || TestList is null
            ? null
            : (IndexList.Read(TrainingList, trainingCount), IndexList.Read(TestList, testCount));

    private void Require(DigitFormat format)
    {
        if (Format != format)
            throw new InvalidOperationException($"These digits are {Format}, not {format}.");
    }

    private static DigitData FindBeside(string file)
    {
        var name = Path.GetFileName(file);
        var format = IsPart(name, MnistParts, DigitFormat.Mnist) ? DigitFormat.Mnist
            : IsPart(name, UspsParts, DigitFormat.Usps) ? DigitFormat.Usps
            : throw new BadFileException($"'{file}' is not named like a file of digits: MNIST's are train-images-idx3-ubyte, " +
                $"train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, those of USPS zip.train and zip.test, " +
                $"each with or without .gz.");
        var folder = Path.GetDirectoryName(file) is { Length: > 0 } parent ? parent : ".";
        var found = FindIn(folder, format, name)!.Value;   // the named file is there, so that it is not null
        return format == DigitFormat.Mnist ? Mnist(found, folder, usps: null) : Usps(found);
    }

    private static bool IsPart(string name, string[] parts, DigitFormat format) =>
        parts.Any(part => Spellings(part, format).Contains(name));

    private static bool IsUspsFolder(string folder) =>
        UspsParts.All(part => FindFile(folder, part, DigitFormat.Usps, named: null) is not null);

    private static DigitData Mnist((string folder, string[] files) found, string path, string? usps)
    {
        var description = $"MNIST from {found.folder}" + (usps is null ? "" : $" (USPS in {usps} is not used)");
        var beside = Path.GetDirectoryName(Path.GetFullPath(found.folder));
        List<string> places = [found.folder, path, Path.Combine(found.folder, "lenet1989"), Path.Combine(path, "lenet1989")];
        if (beside is not null)
            places.Add(Path.Combine(beside, "lenet1989"));
        return new DigitData(DigitFormat.Mnist, found.folder, found.files, description, places.FirstOrDefault(HasLists));
    }

    private static DigitData Usps((string folder, string[] files) found) =>
        new(DigitFormat.Usps, found.folder, found.files, $"USPS from {found.folder}", listFolder: null);

    private static bool HasLists(string folder)
    {
        string[] names = ["train-indices.txt", "test-indices.txt"];
        var missing = names.Where(name => !File.Exists(Path.Combine(folder, name))).ToList();
        return missing.Count == 1
            ? throw new BadFileException($"'{folder}' has {names.Single(name => name != missing[0])} and lacks {missing[0]}; add it, or " +
                $"remove the other one to use all examples.")
            : missing.Count == 0;
    }

    /// <summary>The files of a format in a folder or below it; null when none of them is there.</summary>
    /// <param name="path">Where to look.</param>
    /// <param name="format">What to look for.</param>
    /// <param name="named">
    /// A file of that folder that the user named: it is taken where there are several spellings, and nothing below the folder is.
    /// </param>
    /// <exception cref="BadFileException">Some of the files are there, and others are not.</exception>
    private static (string folder, string[] files)? FindIn(string path, DigitFormat format, string? named)
    {
        var parts = format == DigitFormat.Mnist ? MnistParts : UspsParts;
        var below = named is not null ? [""] : format == DigitFormat.Mnist ? MnistFolders : UspsFolders;
        foreach (var folder in below.Select(b => Path.Combine(path, b)))
        {
            var files = parts.Select(part => FindFile(folder, part, format, named)).ToArray();
            if (files.All(file => file is null))
                continue;
            var missing = parts.Zip(files).Where(f => f.Second is null).Select(f => Spellings(f.First, format)[0]).ToList();
            if (missing.Count > 0)
                throw new BadFileException($"'{folder}' has {Path.GetFileName(files.First(file => file is not null))} and lacks " +
                    $"{string.Join(", ", missing)} (or .gz); add what is missing.");
            return (folder, [.. files.OfType<string>()]);
        }
        return null;
    }

    private static string? FindFile(string folder, string part, DigitFormat format, string? named)
    {
        var spellings = Spellings(part, format);
        return (named is not null && spellings.Contains(named) ? [named] : spellings)
            .Select(name => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);
    }

    /// <summary>The names that a part of a set goes by.</summary>
    private static string[] Spellings(string part, DigitFormat format)
    {
        if (format == DigitFormat.Usps)
            return [part, part + ".gz"];
        var kind = part.EndsWith("images", StringComparison.Ordinal) ? "idx3-ubyte" : "idx1-ubyte";
        return [$"{part}-{kind}", $"{part}.{kind}", $"{part}-{kind}.gz", $"{part}.{kind}.gz"];
    }

    /// <summary>What is in a folder, in a few words.</summary>
    private static string Inventory(string folder)
    {
        const int Shown = 8;
        try
        {
            var names = new DirectoryInfo(folder).EnumerateFileSystemInfos().Take(1000)
                .Select(entry => entry is DirectoryInfo ? entry.Name + "/" : entry.Name)
                .Order(StringComparer.Ordinal).ToList();
            return names.Count == 0 ? "it is empty"
                : $"it has {string.Join(", ", names.Take(Shown))}{(names.Count > Shown ? $" and {names.Count - Shown} more" : "")}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"it cannot be listed ({e.Message})";
        }
    }
}
