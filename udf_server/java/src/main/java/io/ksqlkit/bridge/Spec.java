package io.ksqlkit.bridge;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A function of the manifest that the jar was built from. */
final class Spec {
    /** Where the manifest lies in the jar. */
    static final String RESOURCE = "ksqlkit/functions.json";

    /** One signature. */
    static final class Overload {
        final List<SqlType> args = new ArrayList<>();
        final boolean variadic;
        final SqlType returns;
        /** Whether the first argument names the model to ask. */
        final boolean named;

        Overload(Map<?, ?> json) {
            for (Object arg : (List<?>) json.get("args")) {
                args.add(SqlType.parse((String) ((Map<?, ?>) arg).get("type")));
            }
            variadic = Boolean.TRUE.equals(json.get("variadic"));
            List<?> given = (List<?>) json.get("args");
            named = !given.isEmpty() && "MODEL".equals(((Map<?, ?>) given.get(0)).get("name"));
            returns = SqlType.parse((String) json.get("returns"));
        }

        SqlType arg(int index) {
            return args.get(Math.min(index, args.size() - 1));
        }
    }

    final String name;
    final List<Overload> overloads = new ArrayList<>();
    final boolean deterministic;
    final boolean nullOnNull;
    final int batchLimit;
    final long timeoutMs;
    final String onFailure;
    final Object defaultJson;
    final String model;
    final int version;
    final String detailOf;
    /** What of a model's answer the function is ("score", "label", "chances"); null for one that is more than that. */
    final String portable;
    /** Whether the first argument names the function to call. */
    final boolean generic;

    private Spec(String name, Map<?, ?> json) {
        this.name = name;
        for (Object overload : (List<?>) json.get("overloads")) {
            overloads.add(new Overload((Map<?, ?>) overload));
        }
        deterministic = Boolean.TRUE.equals(json.get("deterministic"));
        nullOnNull = "null".equals(json.get("nulls"));
        batchLimit = number(json, "batch_limit", 10_000).intValue();
        timeoutMs = number(json, "timeout_ms", 10_000).longValue();
        onFailure = json.get("on_failure") == null ? "null" : (String) json.get("on_failure");
        defaultJson = json.get("default");
        model = (String) json.get("model");
        version = number(json, model == null ? "version" : "model_version", 1).intValue();
        detailOf = (String) json.get("detail_of");
        portable = (String) json.get("portable");
        generic = Boolean.TRUE.equals(json.get("generic"));
    }

    private static Number number(Map<?, ?> json, String key, long otherwise) {
        Object found = json.get(key);
        return found == null ? otherwise : (Number) found;
    }

    static Spec read(Map<?, ?> json) {
        return new Spec((String) json.get("name"), json);
    }

    /** By name, the functions of a manifest. */
    static Map<String, Spec> all(byte[] manifest) {
        Map<String, Spec> found = new HashMap<>();
        for (Object entry : (List<?>) ((Map<?, ?>) Json.parse(manifest)).get("functions")) {
            Spec spec = read((Map<?, ?>) entry);
            found.put(spec.name, spec);
        }
        return found;
    }

    /** The functions of the jar that a class came from; read once per jar. */
    static Map<String, Spec> of(Class<?> function) {
        return LOADED.get(function);
    }

    private static final ClassValue<Map<String, Spec>> LOADED = new ClassValue<>() {
        @Override
        protected Map<String, Spec> computeValue(Class<?> function) {
            return BY_LOADER.computeIfAbsent(function.getClassLoader(), Spec::load);
        }
    };
    private static final Map<ClassLoader, Map<String, Spec>> BY_LOADER = new java.util.concurrent.ConcurrentHashMap<>();

    private static Map<String, Spec> load(ClassLoader loader) {
        // The jar's own: a class loader by itself looks into its parent first.
        URL found = loader instanceof URLClassLoader
                ? ((URLClassLoader) loader).findResource(RESOURCE)
                : loader.getResource(RESOURCE);
        try (InputStream in = found == null ? null : found.openStream()) {
            if (in == null) {
                throw new IllegalStateException(
                        RESOURCE + " is not in the jar; build it with `ksqlkit functions build`");
            }
            return all(in.readAllBytes());
        } catch (IOException e) {
            throw new IllegalStateException("cannot read " + RESOURCE, e);
        }
    }
}
