using Zoo.Host.Plugins;

namespace Zoo.Tests.Plugins;

public sealed class PluginFoldersTests
{
    [Test]
    public void Find_NamedFolders_GoBeforeTheUsersAndTheProgramsOwn()
    {
        using var sandbox = new PluginSandbox();
        var (a, b, c) = (sandbox.NewFolder("a"), sandbox.NewFolder("b"), sandbox.NewFolder("c"));
        var folders = PluginFolders.Find([a], $"{b}{Path.PathSeparator}{Path.PathSeparator}{c}").Select(f => f.Path).ToList();
        Assert.That(folders, Is.EqualTo(new[] { a, b, c, PluginFolders.User!, PluginFolders.Program }));
    }

    [Test]
    public void Find_NamedFolderThatIsNotThere_IsTheUsersError()
    {
        using var sandbox = new PluginSandbox();
        var missing = Path.Combine(sandbox.Folder, "missing");
        Assert.Multiple(() =>
        {
            Assert.That(() => PluginFolders.Find([missing], null), Throws.TypeOf<UserException>()
                .With.Message.EqualTo($"--plugins {missing}: there is no such folder."));
            Assert.That(() => PluginFolders.Find([], missing), Throws.TypeOf<UserException>()
                .With.Message.EqualTo($"ZOO_PLUGINS {missing}: there is no such folder."));
            Assert.That(() => PluginFolders.Find([""], null), Throws.TypeOf<UserException>()
                .With.Message.EqualTo("--plugins needs the name of a folder."));
            var file = sandbox.Write("file", [1]);
            Assert.That(() => PluginFolders.Find([file], null), Throws.TypeOf<UserException>()
                .With.Message.EqualTo($"--plugins {file}: this is a file. Name the folder that the plugin is in."));
        });
    }

    [Test]
    public void Find_RelativeFolderInTheVariable_IsRefused() =>
        Assert.That(() => PluginFolders.Find([], "plugins"), Throws.TypeOf<UserException>()
            .With.Message.EqualTo("ZOO_PLUGINS names 'plugins', which depends on the current folder. Write the folder's full path."));
}
