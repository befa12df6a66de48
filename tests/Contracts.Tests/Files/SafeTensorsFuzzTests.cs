using Zoo.Files;
using static TorchSharp.torch;

namespace Zoo.Tests.Files;

[TestFixture(TestOf = typeof(SafeTensorsFile))]
public sealed class SafeTensorsFuzzTests
{
    private const int Rounds = 1500;
    private static readonly byte[] Telling = [.. "{}[]\",:-0123456789FIBU."u8, 0, 0xFF, 0x80];

    /// <summary>Bytes changed, cut, added or doubled at random: such a file is read, or refused with a sentence, and nothing else.</summary>
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Open_MutatedFile_IsReadOrRefused(int seed)
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var path = folder.File("a.safetensors");
        SafeTensorsWriter.Write(path, new NamedTensors
        {
            ["a"] = ones(3, 2),
            ["b.weight"] = zeros(5, int64),
            ["c"] = ones(7, @bool),
            ["d"] = ones(3, bfloat16),
            ["none"] = zeros(0, 4),
        }, new Dictionary<string, string> { ["format"] = "pt" });
        var valid = File.ReadAllBytes(path);
        var random = new Random(seed);
        var (read, refused) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var mutated = Mutate(valid, random);
            File.WriteAllBytes(path, mutated);
            try
            {
                using var file = SafeTensorsFile.Open(path);
                using var tensors = NewDisposeScope();
                foreach (var tensor in file.LoadAll().Values)
                    _ = tensor.to(float64).sum().item<double>();
                read++;
            }
            catch (BadFileException e)
            {
                Assert.That(e.Message, Does.Contain(path));
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"round {round}, {Convert.ToHexString(mutated)}: {e}");
            }
        }
        Assert.That(read, Is.GreaterThan(Rounds / 40), "too few mutations leave the file readable to test loading");
        Assert.That(refused, Is.GreaterThan(Rounds / 4));
    }

    private static byte[] Mutate(byte[] valid, Random random)
    {
        var bytes = valid.ToList();
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(8))
            {
                case 0:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at));
                    break;
                case 1:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 40), bytes.Count - at)));
                    break;
                case 2:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 3:
                    bytes[random.Next(8)] = (byte)random.Next(256);
                    break;
                default:
                    bytes[at] = Telling[random.Next(Telling.Length)];
                    break;
            }
            if (bytes.Count < 8)
                break;
        }
        return [.. bytes];
    }
}
