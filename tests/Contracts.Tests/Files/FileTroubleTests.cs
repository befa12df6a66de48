using Zoo.Files;

namespace Zoo.Tests.Files;

public sealed class FileTroubleTests
{
    [TestCase("No space left on device : '/data/run/model.safetensors'", "No space left on device.")]
    [TestCase("Read-only file system : '/data/it's'", "Read-only file system.")]
    [TestCase("Specified file length was too large for the file system. (Parameter 'value')", "Specified file length was too large for the file system.")]
    [TestCase("Access to the path '/data/x' is denied.", "Access to the path '/data/x' is denied.")]
    [TestCase("Broken pipe", "Broken pipe.")]
    public void Words_MessageOfTheSystem_EndsInOneFullStopWithoutThePath(string message, string expected) =>
        Assert.That(FileTrouble.Words(new IOException(message)), Is.EqualTo(expected));
}
