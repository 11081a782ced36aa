package io.ksqlkit.bridge;

import java.util.function.LongSupplier;

/**
 * A circuit breaker: after some failures in a row calls are refused at once, and one at a time is let through to see.
 * Each failed probe doubles the wait.
 */
final class Breaker {
    private static final int FAILURES = 3;
    private static final long COOL_NS = 1_000_000_000L;
    private static final long LONGEST_NS = 30_000_000_000L;

    private final LongSupplier clock;
    private int failed;
    private long wait = COOL_NS;
    private boolean open;
    private long until;
    private String because = "";

    Breaker(LongSupplier nanoClock) {
        this.clock = nanoClock;
    }

    synchronized boolean allow() {
        if (!open) {
            return true;
        }
        long now = clock.getAsLong();
        if (now - until < 0) {
            return false;
        }
        until = now + wait; // the next probe, should this one never report
        return true;
    }

    synchronized boolean isOpen() {
        return open;
    }

    synchronized void success() {
        failed = 0;
        wait = COOL_NS;
        open = false;
        because = "";
    }

    /** What failed last; empty where nothing did. */
    synchronized String because() {
        return because;
    }

    synchronized void failure(String why) {
        because = why;
        failed++;
        if (open) {
            wait = Math.min(wait * 2, LONGEST_NS);
        }
        if (open || failed >= FAILURES) {
            open = true;
            until = clock.getAsLong() + wait;
        }
    }
}
