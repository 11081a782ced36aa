package io.ksqlkit.bridge;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * The latest answers of a deterministic function, and which are under way, so that equal rows at one time make one
 * call. Split by hash, since many stream threads ask at once. Only answers are kept, never failures.
 */
final class ResultCache {
    private static final int PARTS = 16; // four bits of a hash

    /** The arguments of a row, as JSON. */
    static final class Key {
        private final byte[] json;
        private final int hash;

        Key(byte[] json) {
            this.json = json;
            hash = Arrays.hashCode(json);
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Key && Arrays.equals(json, ((Key) other).json);
        }
    }

    private static final class Part extends LinkedHashMap<Key, CompletableFuture<Object>> {
        private final int limit;

        Part(int limit) {
            super(16, 0.75f, true);
            this.limit = limit;
        }

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, CompletableFuture<Object>> eldest) {
            return size() > limit;
        }
    }

    private final Part[] parts = new Part[PARTS];

    ResultCache(int entries) {
        for (int i = 0; i < PARTS; i++) {
            parts[i] = new Part(Math.max(1, entries / PARTS));
        }
    }

    private Part part(Key key) {
        // By other bits than a map's own buckets are chosen by, most of which would else stay empty.
        return parts[key.hashCode() * 0x9E3779B9 >>> 28];
    }

    /**
     * The answer for a key, being made or there; or null, and then {@code mine} stands for it and the caller must
     * complete it or {@link #forget} it.
     */
    CompletableFuture<Object> begin(Key key, CompletableFuture<Object> mine) {
        Part part = part(key);
        synchronized (part) {
            CompletableFuture<Object> found = part.get(key);
            if (found == null) {
                part.put(key, mine);
            }
            return found;
        }
    }

    void forget(Key key, CompletableFuture<Object> mine) {
        Part part = part(key);
        synchronized (part) {
            part.remove(key, mine);
        }
    }
}
