package io.ksqlkit.bridge;

import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import javax.management.JMException;
import javax.management.ObjectName;

/** The counters of a function, as {@code io.ksqlkit.bridge:type=Function,name=...} in JMX. */
final class Counters implements CountersMBean {
    private static final Map<String, Counters> BY_NAME = new ConcurrentHashMap<>();

    private final LongAdder rows = new LongAdder();
    private final LongAdder ok = new LongAdder();
    private final LongAdder invalid = new LongAdder();
    private final LongAdder timeout = new LongAdder();
    private final LongAdder unavailable = new LongAdder();
    private final LongAdder defaulted = new LongAdder();
    private final LongAdder cached = new LongAdder();
    private final LongAdder local = new LongAdder();
    private final LongAdder calls = new LongAdder();
    private final LongAdder retries = new LongAdder();
    private final LongAdder sent = new LongAdder();
    private final LongAdder waited = new LongAdder();

    /** The counters of a name, registered on first use. */
    static Counters of(String function) {
        return BY_NAME.computeIfAbsent(function, name -> {
            Counters made = new Counters();
            try {
                ManagementFactory.getPlatformMBeanServer()
                        .registerMBean(made, new ObjectName("io.ksqlkit.bridge:type=Function,name=" + name));
            } catch (JMException | SecurityException e) {
                System.getLogger("io.ksqlkit.bridge")
                        .log(System.Logger.Level.WARNING, "no JMX counters for " + name + ": " + e);
            }
            return made;
        });
    }

    void answered(long startedNs) {
        rows.increment();
        ok.increment();
        waited.add(System.nanoTime() - startedNs);
    }

    void failed(String code, long startedNs) {
        rows.increment();
        (code.equals(RowFailed.INVALID_INPUT) ? invalid : code.equals(RowFailed.TIMEOUT) ? timeout : unavailable)
                .increment();
        waited.add(System.nanoTime() - startedNs);
    }

    void defaulted() {
        defaulted.increment();
    }

    void cached() {
        cached.increment();
    }

    void local() {
        local.increment();
    }

    void sent(int batch, boolean again) {
        calls.increment();
        sent.add(batch);
        if (again) {
            retries.increment();
        }
    }

    @Override
    public long getRows() {
        return rows.sum();
    }

    @Override
    public long getOk() {
        return ok.sum();
    }

    @Override
    public long getInvalidInput() {
        return invalid.sum();
    }

    @Override
    public long getTimeout() {
        return timeout.sum();
    }

    @Override
    public long getUnavailable() {
        return unavailable.sum();
    }

    @Override
    public long getDefaulted() {
        return defaulted.sum();
    }

    @Override
    public long getCached() {
        return cached.sum();
    }

    @Override
    public long getLocal() {
        return local.sum();
    }

    @Override
    public long getCalls() {
        return calls.sum();
    }

    @Override
    public long getRetries() {
        return retries.sum();
    }

    @Override
    public long getSentRows() {
        return sent.sum();
    }

    @Override
    public long getWaitedMs() {
        return waited.sum() / 1_000_000L;
    }
}
