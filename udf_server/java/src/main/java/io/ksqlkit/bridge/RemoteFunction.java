package io.ksqlkit.bridge;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.common.Configurable;

/**
 * What every function of the jar extends. ksqlDB makes several objects per query and calls one of them from all of
 * the query's stream threads; all share one client per scoring server.
 */
public abstract class RemoteFunction implements Configurable {
    private static final int MAX_KEY = 8 * 1024;
    private static final int MAX_NAMES = 200;
    private static final long LONGEST_PAUSE_MS = 5_000;
    private static final Object NOT_HERE = new Object();
    private static final System.Logger LOG = System.getLogger("io.ksqlkit.bridge");

    private final Spec declared;
    private final Map<String, Target> targets = new ConcurrentHashMap<>();
    private volatile Options options;
    private volatile long nextLog;

    /** What was set, read once. */
    private static final class Options {
        final Endpoint endpoint;
        final boolean local;
        final boolean fallback;
        final Path modelFile;
        final String modelSha;
        final long modelPollMs;
        final long timeoutNs;
        final long blockNs;
        final long graceMs;
        final int version;
        final int connections;
        final int cacheEntries;
        final String onFailure;
        final Object defaultJson;

        ModelSource source(String model) {
            return modelFile != null
                    ? FileModels.of(modelFile, model, modelSha)
                    : ServerModels.of(endpoint, model, modelSha, modelPollMs);
        }

        Options(Spec spec, Settings settings) {
            local = settings.local(spec.portable != null && !spec.generic);
            modelFile = settings.modelFile();
            modelSha = settings.modelSha();
            modelPollMs = settings.modelPollMs();
            endpoint = local && modelFile != null && !settings.hasUrl()
                    ? null
                    : Endpoint.of(settings.url(), settings.credentials());
            fallback = settings.fallback() && endpoint != null;
            timeoutNs = settings.timeoutMs(spec.timeoutMs) * 1_000_000L;
            blockNs = settings.blockMs() * 1_000_000L;
            graceMs = settings.graceMs();
            version = settings.version();
            connections = settings.connections();
            cacheEntries = settings.cacheEntries();
            onFailure = settings.onFailure(spec.onFailure);
            defaultJson = settings.defaultJson(spec.defaultJson);
            for (Spec.Overload overload : spec.overloads) {
                if (onFailure.equals("default") && spec.detailOf == null) {
                    overload.returns.read(defaultJson); // tells now, not at the first failure
                }
            }
        }
    }

    /** A function as this query calls it: with the version it started with. */
    private final class Target {
        final Spec spec;
        final Counters counters;
        final AtomicInteger pin;
        final LocalLane local;

        Target(Spec spec) {
            this.spec = spec;
            counters = Counters.of(spec.name);
            pin = new AtomicInteger(Math.max(0, options.version));
            local = options.local ? new LocalLane(spec, options::source, options.version, pin) : null;
        }

        GroupCommit lane(int version) {
            Options o = options;
            return o.endpoint.lane(spec, version, o.connections, o.cacheEntries, counters);
        }
    }

    /** {@code name} is the function's in the manifest of the jar. */
    protected RemoteFunction(String name) {
        declared = Spec.of(getClass()).get(name);
        if (declared == null) {
            throw new IllegalStateException(name + " is not in the manifest of its jar");
        }
    }

    @Override
    public final void configure(Map<String, ?> properties) {
        options = new Options(declared, new Settings(declared.name, properties));
        targets.clear();
        if (options.local && declared.model != null) {
            options.source(declared.model); // on its way before the first row
        }
    }

    /** Answers a row of an overload; its arguments as ksqlDB gave them, a variadic one as the array it is. */
    protected final Object call(int overload, Object[] given) {
        if (options == null) {
            throw new IllegalStateException(declared.name + " was not configured");
        }
        Spec.Overload form = declared.overloads.get(overload);
        Object[] arguments = form.variadic ? flat(given) : given;
        if (declared.nullOnNull && declared.detailOf == null && Arrays.asList(arguments).contains(null)) {
            return null;
        }
        long started = System.nanoTime();
        Target target = target(arguments);
        try {
            Object value = answer(target, form, arguments, started);
            target.counters.answered(started);
            return value;
        } catch (RowFailed failure) {
            target.counters.failed(failure.code, started);
            return failed(target, form, failure);
        }
    }

    private static Object[] flat(Object[] given) {
        Object[] rest = (Object[]) given[given.length - 1];
        Object[] out = Arrays.copyOf(given, given.length - 1 + rest.length);
        System.arraycopy(rest, 0, out, given.length - 1, rest.length);
        return out;
    }

    private Target target(Object[] arguments) {
        if (!declared.generic) {
            Target only = targets.get(declared.name);
            return only != null ? only : targets.computeIfAbsent(declared.name, k -> new Target(declared));
        }
        String name = arguments[0] == null ? "" : arguments[0].toString().toUpperCase(Locale.ROOT);
        Target found = targets.get(name);
        if (found != null) {
            return found;
        }
        if (!name.matches("[A-Z_][A-Z0-9_]{0,127}")) {
            throw new IllegalArgumentException(declared.name + ": '" + name + "' is no function name");
        }
        if (targets.size() >= MAX_NAMES) {
            throw new IllegalArgumentException(
                    declared.name + ": over " + MAX_NAMES + " names in one query; is the first argument a name?");
        }
        Spec known = Spec.of(getClass()).get(name);
        Map<String, Object> unknown = new LinkedHashMap<>();
        unknown.put("name", name);
        unknown.put("overloads", List.of());
        return targets.computeIfAbsent(name, k -> new Target(known == null ? Spec.read(unknown) : known));
    }

    private Object answer(Target target, Spec.Overload form, Object[] arguments, long started) {
        Options o = options;
        if (target.local != null) {
            Object value = here(target, form, arguments, started);
            if (value != NOT_HERE) {
                return value;
            }
        }
        byte[] json = encode(form, arguments);
        long pause = 50;
        while (true) {
            try {
                return read(form.returns, remote(target, json, System.nanoTime() + o.timeoutNs));
            } catch (RowFailed failure) {
                long end = started + o.blockNs;
                if (!o.onFailure.equals("block")
                        || failure.code.equals(RowFailed.INVALID_INPUT)
                        || !GroupCommit.pause(1 + (long) (Math.random() * pause), end, o.graceMs)) {
                    throw failure;
                }
                pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
            }
        }
    }

    /** The answer of a model in this process, or NOT_HERE where the scoring server is to answer; throws RowFailed. */
    private Object here(Target target, Spec.Overload form, Object[] arguments, long started) {
        Options o = options;
        try {
            LocalLane.Answer found = target.local.answer(form, arguments);
            while (found == null && !o.fallback && target.local.trouble(form, arguments) == null) {
                if (!GroupCommit.pause(5, started + o.timeoutNs, o.graceMs)) {
                    throw new RowFailed(RowFailed.TIMEOUT, "the model did not come in time");
                }
                found = target.local.answer(form, arguments);
            }
            if (found == null) {
                if (o.fallback) {
                    return NOT_HERE;
                }
                throw new RowFailed(RowFailed.UNAVAILABLE, target.local.trouble(form, arguments));
            }
            target.counters.local();
            return declared.detailOf == null
                    ? found.value
                    : detail(form, found.value, "OK", found.model.name, found.model.version, null);
        } catch (PortableModel.Unsure e) {
            if (o.fallback) {
                return NOT_HERE;
            }
            throw new RowFailed(RowFailed.INVALID_INPUT, e.getMessage());
        }
    }

    private static Object read(SqlType type, GroupCommit.Answer answer) {
        try {
            return type.read(answer.json);
        } catch (IllegalArgumentException e) {
            throw new RowFailed(RowFailed.UNAVAILABLE, e.getMessage() + "; the jar may be older than the server:"
                    + " build it again with `ksqlkit functions build`");
        }
    }

    /** The arguments as JSON, each after a comma. */
    private byte[] encode(Spec.Overload form, Object[] arguments) {
        JsonWriter out = new JsonWriter(GroupCommit.MAX_ROW);
        try {
            for (int i = declared.generic ? 1 : 0; i < arguments.length; i++) {
                form.arg(i).write(out.put(','), arguments[i]);
            }
        } catch (JsonWriter.Full e) { // told here: the server would hang up in the middle of it
            throw new RowFailed(
                    RowFailed.INVALID_INPUT, "the arguments are too long: the scoring server takes 8 MiB in a call");
        } catch (RuntimeException e) {
            throw new RowFailed(RowFailed.INVALID_INPUT, "the arguments cannot be sent: " + e);
        }
        return out.bytes();
    }

    private GroupCommit.Answer remote(Target target, byte[] json, long deadline) {
        Options o = options;
        int version = target.pin.get();
        if (version == 0) {
            GroupCommit.Answer first = target.lane(0).call(json, deadline, o.graceMs);
            if (o.version < 0 || target.pin.compareAndSet(0, first.version) || target.pin.get() == first.version) {
                return first;
            }
            version = target.pin.get(); // another thread's first row came before a promotion, ours after it
        }
        GroupCommit lane = target.lane(version);
        ResultCache cache = json.length > MAX_KEY ? null : lane.cache;
        if (cache == null) {
            return lane.call(json, deadline, o.graceMs);
        }
        ResultCache.Key key = new ResultCache.Key(json);
        CompletableFuture<Object> mine = new CompletableFuture<>();
        CompletableFuture<Object> theirs = cache.begin(key, mine);
        if (theirs != null) {
            GroupCommit.Answer found = share(theirs, deadline, o.graceMs);
            if (found != null) {
                target.counters.cached();
                return found;
            }
            return lane.call(json, deadline, o.graceMs); // theirs failed, which need not be our fate
        }
        GroupCommit.Answer found = null;
        try {
            found = lane.call(json, deadline, o.graceMs);
            return found;
        } finally {
            if (found == null) {
                cache.forget(key, mine);
            }
            mine.complete(found);
        }
    }

    private static GroupCommit.Answer share(CompletableFuture<Object> theirs, long deadline, long graceMs) {
        while (true) {
            try {
                return (GroupCommit.Answer) theirs.get(theirs.isDone() ? 0 : 25, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                Long stop = Stopping.deadline(Thread.currentThread(), graceMs);
                if (stop != null && System.nanoTime() - stop >= 0) {
                    throw new RowFailed(RowFailed.UNAVAILABLE, "the query is stopping");
                }
                if (deadline - System.nanoTime() <= 0) {
                    throw new RowFailed(RowFailed.TIMEOUT, "no answer in time: the scoring server is behind");
                }
            } catch (ExecutionException e) {
                return null;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new RowFailed(RowFailed.UNAVAILABLE, "the query is stopping");
            }
        }
    }

    /** What SQL gets for a row that failed, by the function's policy. */
    private Object failed(Target target, Spec.Overload form, RowFailed failure) {
        Options o = options;
        boolean defaulted = o.onFailure.equals("default");
        if (defaulted) {
            target.counters.defaulted();
        }
        if (declared.detailOf != null) {
            int version = target.pin.get() > 0 ? target.pin.get() : declared.version;
            return detail(
                    form, defaulted ? o.defaultJson : null, defaulted ? "DEFAULTED" : failure.code, declared.model,
                    version, failure.getMessage());
        }
        if (defaulted) {
            return form.returns.read(o.defaultJson);
        }
        if (o.onFailure.equals("fail") || o.onFailure.equals("block")) {
            // ksqlDB writes NULL and a line with this text to its processing log, and goes on: it knows no other way.
            throw new RowFailed(failure.code, target.spec.name + ": " + failure);
        }
        log(target, failure);
        return null;
    }

    /** A row of the DETAIL form, without attributions. */
    private static Object detail(
            Spec.Overload form, Object value, String status, String model, long version, String reason) {
        Object[] values = {value, status, model, version, System.currentTimeMillis(), reason, null};
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 0; i < values.length; i++) {
            row.put(form.returns.fields.get(i), values[i]);
        }
        return form.returns.read(row);
    }

    private void log(Target target, RowFailed failure) {
        long now = System.nanoTime();
        if (now - nextLog >= 0 || nextLog == 0) {
            nextLog = now + 10_000_000_000L;
            LOG.log(System.Logger.Level.WARNING, target.spec.name + " answers NULL: " + failure);
        }
    }

    /** The names of all settings, for documentation. */
    public static List<String> settings() {
        List<String> out = new ArrayList<>();
        Settings.keys().forEach(out::add);
        return out;
    }
}
