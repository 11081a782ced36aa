package io.ksqlkit.bridge;

import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Where models of a name come from, looked at in the background, so that no row waits for a download or for the check
 * of a model. Whatever does not verify is refused and told of, and the model before it stays.
 */
abstract class ModelSource {
    /** A form that came, and under what checksum its sender knows it; empty where it does not say. */
    static final class Form {
        /** The live model is still the right one. */
        static final Form SAME = new Form(new byte[0], "");

        final byte[] bytes;
        final String sha256;

        Form(byte[] bytes, String sha256) {
            this.bytes = bytes;
            this.sha256 = sha256;
        }
    }

    private static final long UNUSED_NS = 600_000_000_000L;
    private static final int KEPT = 8;
    private static final System.Logger LOG = System.getLogger("io.ksqlkit.bridge");
    private static final Map<Object, ModelSource> SHARED = new ConcurrentHashMap<>();
    private static final ScheduledThreadPoolExecutor LOOKERS = new ScheduledThreadPoolExecutor(2, work -> {
        Thread thread = new Thread(work, "ksqlkit-bridge-models");
        thread.setDaemon(true);
        return thread;
    });

    static {
        LOOKERS.setRemoveOnCancelPolicy(true);
    }

    private final String name;
    private final String where;
    private final String wantedSha;
    private final long pollMs;
    private final long longestMs;
    private final Map<Integer, PortableModel> versions = new ConcurrentHashMap<>();
    private final Set<Integer> fetching = ConcurrentHashMap.newKeySet();
    private final ModelStatus status;
    private volatile PortableModel live;
    private final Map<Integer, String> troubles = new ConcurrentHashMap<>();
    private volatile long asked = System.nanoTime();
    private volatile boolean resting;
    private int failures;

    /** {@code wantedSha} is the only checksum taken; empty for any. Failures put looks off up to {@code longestMs}. */
    ModelSource(String name, String where, String wantedSha, long pollMs, long longestMs) {
        this.name = name;
        this.where = where;
        this.wantedSha = wantedSha;
        this.pollMs = pollMs;
        this.longestMs = longestMs;
        this.status = ModelStatus.of(name, where);
    }

    /** The one source for a key; its first look is in the background, or {@code now}. */
    static ModelSource shared(Object key, boolean now, Function<Object, ModelSource> make) {
        return SHARED.computeIfAbsent(key, k -> {
            ModelSource made = make.apply(k);
            if (now) {
                made.look();
            } else {
                LOOKERS.execute(made::look);
            }
            return made;
        });
    }

    /**
     * The live version's form; SAME where it is that of {@code known}, null where nothing has changed since the last
     * look, be it good or bad. An IOException says why there is none.
     */
    abstract Form fetch(PortableModel known) throws IOException;

    /** A version's form. */
    abstract Form fetch(int version) throws IOException;

    /** The live model, or null while there is none. */
    PortableModel live() {
        used();
        return live;
    }

    /** The model of a version, or null while it is not here; it is then fetched. */
    PortableModel of(int version) {
        used();
        PortableModel found = versions.get(version);
        if (found == null && fetching.add(version)) {
            LOOKERS.execute(() -> get(version, 1));
        }
        return found;
    }

    /** Why a version, or for 0 the live one, is not here or not up to date; null while nothing is known to be wrong. */
    String trouble(int version) {
        return troubles.get(version);
    }

    private void used() {
        long now = System.nanoTime();
        if (now - asked > 1_000_000_000L) { // a write per row would cost the threads more than the model does
            asked = now;
            if (resting) {
                resting = false;
                LOOKERS.execute(this::look);
            }
        }
    }

    private void look() {
        if (System.nanoTime() - asked > UNUSED_NS) {
            resting = true; // no query uses it; the next row wakes it
            return;
        }
        try {
            Form form = fetch(live);
            failures = 0;
            if (form != null && form != Form.SAME) {
                take(form, 0);
            }
            if (form != null) {
                troubles.remove(0);
            }
            status.looked(troubles.get(0));
        } catch (IOException | RuntimeException e) {
            failures++;
            status.looked(failed(e, 0));
        }
        // After failures with full jitter, so that many servers do not come back together.
        long wait = failures == 0
                ? pollMs * ThreadLocalRandom.current().nextLong(80, 121) / 100
                : 1 + ThreadLocalRandom.current()
                        .nextLong(Math.min(longestMs, Math.max(pollMs, 100) << Math.min(failures, 8)));
        LOOKERS.schedule(this::look, Math.max(1, wait), TimeUnit.MILLISECONDS);
    }

    private void get(int version, int attempt) {
        try {
            take(fetch(version), version);
            troubles.remove(version);
            fetching.remove(version);
        } catch (IOException | RuntimeException e) {
            failed(e, version);
            if (System.nanoTime() - asked > UNUSED_NS) {
                fetching.remove(version);
                return;
            }
            long most = Math.min(longestMs, Math.max(pollMs, 100) << Math.min(attempt, 8));
            LOOKERS.schedule(
                    () -> get(version, attempt + 1), 1 + ThreadLocalRandom.current().nextLong(most), TimeUnit.MILLISECONDS);
        }
    }

    private String failed(Exception e, int version) {
        String said = "the model " + name + (version > 0 ? " version " + version : "") + " of " + where
                + " cannot be used: " + (e instanceof IOException ? e.getMessage() : e.toString());
        if (!said.equals(troubles.put(version, said))) {
            LOG.log(System.Logger.Level.WARNING, said + (live == null ? "" : "; " + live + " stays"));
        }
        return said;
    }

    /** Verifies a form and keeps its model; {@code version} 0 makes it the live one. */
    private synchronized void take(Form form, int version) throws IOException {
        PortableModel found;
        try {
            found = PortableModel.read(form.bytes);
            if (!form.sha256.isEmpty() && !form.sha256.equals(found.sha256)) {
                throw new IOException("the checksum is " + found.sha256 + ", not " + form.sha256);
            }
            if (!wantedSha.isEmpty() && !wantedSha.equalsIgnoreCase(found.sha256)) {
                throw new IOException("the checksum is " + found.sha256 + ", and model.sha256 asks for " + wantedSha);
            }
            if (!found.name.equals(name) || version > 0 && found.version != version) {
                throw new IOException("it is " + found + (version > 0 ? ", not version " + version : ", not " + name));
            }
        } catch (IOException e) {
            status.refused();
            throw e;
        }
        versions.put(found.version, found);
        if (version == 0) {
            live = found;
        }
        if (versions.size() > KEPT) { // a query that is pinned to one keeps it itself
            versions.values().removeIf(old -> old != live && old != found);
        }
        status.took(found, version == 0);
        LOG.log(System.Logger.Level.INFO, "model " + found + " taken from " + where);
    }
}
