package io.ksqlkit.bridge;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/**
 * What the operator set for a function: {@code ksql.functions.<function>.<key>}, else
 * {@code ksql.functions._global_.<key>}, else the default. ksqlDB hands over whole property names, and by prefix: a
 * function {@code a} also gets those of {@code a_b}, so names are compared to the dot.
 */
final class Settings {
    static final String PREFIX = "ksql.functions.";
    static final String GLOBAL = PREFIX + "_global_.";
    private static final Map<String, String> DEFAULTS = Map.ofEntries(
            Map.entry("scoring.url", ""),
            Map.entry("scoring.token", ""),
            Map.entry("scoring.token.file", ""),
            Map.entry("scoring.ca.file", ""),
            Map.entry("connections", "1"),
            Map.entry("timeout.ms", "5000"),
            Map.entry("max.poll.interval.ms", "300000"),
            Map.entry("block.max.ms", "60000"),
            Map.entry("terminate.grace.ms", "500"),
            Map.entry("cache.entries", "10000"),
            Map.entry("version", "query"),
            Map.entry("on.failure", ""),
            Map.entry("default", ""),
            Map.entry("lane", "remote"),
            Map.entry("lane.fallback", "remote"),
            Map.entry("model.file", ""),
            Map.entry("model.sha256", ""),
            Map.entry("model.poll.ms", "10000"));

    private final String function;
    private final Map<String, ?> given;

    /** Throws IllegalArgumentException for a key that no function has, so that a slip does not go unnoticed. */
    Settings(String function, Map<String, ?> given) {
        this.function = function.toLowerCase(Locale.ROOT);
        this.given = given;
        String own = PREFIX + this.function + ".";
        for (String key : given.keySet()) {
            if (key.startsWith(own) && !DEFAULTS.containsKey(key.substring(own.length()))) {
                throw new IllegalArgumentException(
                        key + " is no setting; known are " + String.join(", ", new TreeSet<>(DEFAULTS.keySet())));
            }
        }
    }

    static Iterable<String> keys() {
        return new TreeSet<>(DEFAULTS.keySet());
    }

    private String text(String key) {
        Object found = given.get(PREFIX + function + "." + key);
        if (found == null) {
            found = given.get(GLOBAL + key);
        }
        return found == null ? DEFAULTS.get(key) : found.toString().trim();
    }

    private long number(String key, long lowest) {
        try {
            long found = Long.parseLong(text(key));
            if (found >= lowest) {
                return found;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new IllegalArgumentException(
                PREFIX + function + "." + key + " must be a whole number from " + lowest + ", not '" + text(key) + "'");
    }

    String url() {
        String url = text("scoring.url");
        if (url.isEmpty()) {
            throw new IllegalArgumentException("no scoring server is set for " + function
                    + ": put " + GLOBAL + "scoring.url=http://HOST:8090 into the server's properties");
        }
        return url;
    }

    Credentials credentials() {
        return new Credentials(text("scoring.token"), text("scoring.token.file"), text("scoring.ca.file"));
    }

    int connections() {
        return (int) number("connections", 1);
    }

    /** Milliseconds for one row: never near max.poll.interval.ms, past which Kafka takes the partition away. */
    long timeoutMs(long functions) {
        return Math.min(Math.min(number("timeout.ms", 1), functions), number("max.poll.interval.ms", 1000) / 10);
    }

    long blockMs() {
        return Math.min(number("block.max.ms", 0), number("max.poll.interval.ms", 1000) / 4);
    }

    long graceMs() {
        return number("terminate.grace.ms", 0);
    }

    int cacheEntries() {
        return (int) number("cache.entries", 0);
    }

    /** The pinned version: 0 for the one that is live when the query makes its first call, -1 to follow the live one. */
    int version() {
        String text = text("version");
        return text.equals("query") ? 0 : text.equals("live") ? -1 : (int) number("version", 1);
    }

    String onFailure(String functions) {
        String chosen = text("on.failure").isEmpty() ? functions : text("on.failure");
        if (!java.util.List.of("null", "default", "fail", "block").contains(chosen)) {
            throw new IllegalArgumentException(
                    PREFIX + function + ".on.failure must be null, default, fail or block, not '" + chosen + "'");
        }
        return chosen;
    }

    /** The default value as JSON, or the function's own. */
    Object defaultJson(Object functions) {
        return text("default").isEmpty() ? functions : Json.parse(text("default"));
    }

    /**
     * Whether a model in this process answers. Throws IllegalArgumentException where that was set for this very
     * function and {@code can} says that it is not a model's answer; set for all, it is for those that can.
     */
    boolean local(boolean can) {
        String lane = text("lane");
        if (!lane.equals("remote") && !lane.equals("local")) {
            throw new IllegalArgumentException(
                    PREFIX + function + ".lane must be remote or local, not '" + lane + "'");
        }
        if (lane.equals("local") && !can && given.get(PREFIX + function + ".lane") != null) {
            throw new IllegalArgumentException(PREFIX + function
                    + ".lane=local: only a function that is a model's answer can be answered in this process");
        }
        return lane.equals("local") && can;
    }

    /** Whether the scoring server answers what the model here cannot. */
    boolean fallback() {
        String fallback = text("lane.fallback");
        if (!fallback.equals("remote") && !fallback.equals("none")) {
            throw new IllegalArgumentException(
                    PREFIX + function + ".lane.fallback must be remote or none, not '" + fallback + "'");
        }
        return fallback.equals("remote");
    }

    /** The file or folder of models, or null for those of the scoring server. */
    Path modelFile() {
        return text("model.file").isEmpty() ? null : Path.of(text("model.file"));
    }

    String modelSha() {
        return text("model.sha256");
    }

    long modelPollMs() {
        return number("model.poll.ms", 100);
    }

    /** What to set when a scoring server refused with a status; empty where no setting helps. */
    static String adviceFor(int status) {
        switch (status) {
            case 401:
            case 403:
                return " (set " + GLOBAL + "scoring.token.file)";
            case 404:
                return " (`ksqlkit functions check` compares this server's functions with the scoring server's)";
            default:
                return "";
        }
    }

    boolean hasUrl() {
        return !text("scoring.url").isEmpty();
    }
}
