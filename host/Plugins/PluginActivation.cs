using System.Reflection;
using McMaster.NETCore.Plugins;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Recipes;
using Zoo.Tasks;

namespace Zoo.Host.Plugins;

/// <summary>The stages that run a plugin's own code, each guarded by itself: load, types, construct, register.</summary>
internal static class PluginActivation
{
    /// <summary>Loads a plugin that passed every check from outside.</summary>
    /// <exception cref="PluginRefusedException">A stage failed; nothing of the plugin is left in use.</exception>
    public static LoadedPlugin Activate(PluginCandidate candidate, PluginMetadata metadata, ILoggerFactory loggers)
    {
        var assembly = Load(candidate);
        var types = Types(assembly, metadata);
        var architectures = types.Where(t => t.IsAssignableTo(typeof(IModelArchitecture))).Select(Construct<IModelArchitecture>).ToList();
        var entries = types.Where(t => t.IsAssignableTo(typeof(IZooPlugin))).ToList();
        if (architectures.Count == 0 && entries.Count == 0)
        {
            throw new PluginRefusedException("no class in it implements IModelArchitecture or IZooPlugin, so it adds nothing. " +
                "An abstract or generic class does not count.");
        }
        if (entries.Count > 1)
        {
            throw new PluginRefusedException($"{entries.Count} classes in it implement IZooPlugin ({string.Join(", ", entries.Select(e => e.FullName))}); " +
                "one at most may.");
        }

        var services = entries.Count == 1 ? Services(Construct<IZooPlugin>(entries[0]), loggers) : null;
        try
        {
            var plugin = new LoadedPlugin
            {
                Name = metadata.Name,
                Version = metadata.Version,
                Path = candidate.Path,
                Contract = metadata.Contract!,
                Assembly = assembly,
                Architectures = architectures,
                Tasks = services is null ? [] : Resolve<ITask>(services),
                Ops = services is null ? [] : Resolve<Op>(services),
                Recipes = services is null ? [] : Resolve<IRecipe>(services),
                Services = services,
            };
            PluginDescription.Require(plugin);
            return plugin;
        }
        catch
        {
            services?.Dispose();
            throw;
        }
    }

    /// <summary>What an exception says, in one line: the type and message of the one at its root.</summary>
    public static string Describe(Exception exception)
    {
        while (exception is TargetInvocationException or TypeInitializationException or AggregateException && exception.InnerException is { } inner)
            exception = inner;
        return $"{exception.GetType().Name}: {exception.Message.TrimEnd('.')}.";
    }

    private static Assembly Load(PluginCandidate candidate)
    {
        try
        {
            var loader = PluginLoader.CreateFromAssemblyFile(candidate.Path, config =>
            {
                foreach (var name in HostAssemblies.Shared)
                    config.SharedAssemblies.Add(new AssemblyName(name));
                config.PreferSharedTypes = false;
                config.IsLazyLoaded = true;   // without it TorchSharp and all it needs would be loaded for every `zoo list`
            });
            return loader.LoadDefaultAssembly();
        }
        catch (Exception e)
        {
            throw new PluginRefusedException($"its code does not load. {Describe(e)}", e);
        }
    }

    /// <summary>The concrete classes. Asking for all of them finds those that do not fit this host's contract.</summary>
    private static List<Type> Types(Assembly assembly, PluginMetadata metadata)
    {
        try
        {
            return [.. assembly.GetTypes().Where(t => t is { IsClass: true, IsAbstract: false, ContainsGenericParameters: false })];
        }
        catch (Exception e)
        {
            var first = (e as ReflectionTypeLoadException)?.LoaderExceptions.FirstOrDefault(inner => inner is not null) ?? e;
            throw new PluginRefusedException($"its types do not fit this host. {Describe(first)} " +
                $"It was built against Zoo.Contracts {metadata.Contract}, and this host has {VersionRule.HostContract}; build it again.", e);
        }
    }

    private static T Construct<T>(Type type)
        where T : class
    {
        if (type.GetConstructor(Type.EmptyTypes) is not { } constructor)
            throw new PluginRefusedException($"{type.FullName} has no public constructor without parameters, and the host needs one.");
        try
        {
            return (T)constructor.Invoke(BindingFlags.DoNotWrapExceptions, null, null, null);
        }
        catch (Exception e)
        {
            throw new PluginRefusedException($"the constructor of {type.FullName} failed. {Describe(e)}", e);
        }
    }

    /// <summary>The plugin's services in a container of their own, so that a failure leaves nothing behind.</summary>
    private static ServiceProvider Services(IZooPlugin plugin, ILoggerFactory loggers)
    {
        var services = new ServiceCollection();
        try
        {
            plugin.ConfigureServices(services);
            services.TryAddSingleton(loggers);
            services.TryAdd(ServiceDescriptor.Singleton(typeof(ILogger<>), typeof(Logger<>)));
            return services.BuildServiceProvider();
        }
        catch (Exception e)
        {
            throw new PluginRefusedException($"{plugin.GetType().FullName}.ConfigureServices failed. {Describe(e)}", e);
        }
    }

    private static List<T> Resolve<T>(ServiceProvider services)
        where T : notnull
    {
        try
        {
            return [.. services.GetServices<T>()];
        }
        catch (Exception e)
        {
            throw new PluginRefusedException($"a service of type {typeof(T).Name} that it registered cannot be made. {Describe(e)}", e);
        }
    }
}
