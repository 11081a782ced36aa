package io.ksqlkit.bridge;

import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicLong;
import javax.management.JMException;
import javax.management.ObjectName;

/** The state of a model, as {@code io.ksqlkit.bridge:type=Model,name=...,source="..."} in JMX. */
final class ModelStatus implements ModelStatusMBean {
    private final AtomicLong swaps = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong looks = new AtomicLong();
    private volatile PortableModel live;
    private volatile long takenAt;
    private volatile String status = "not looked yet";

    static ModelStatus of(String name, String where) {
        ModelStatus made = new ModelStatus();
        try {
            ObjectName known =
                    new ObjectName("io.ksqlkit.bridge:type=Model,name=" + name + ",source=" + ObjectName.quote(where));
            ManagementFactory.getPlatformMBeanServer().registerMBean(made, known);
        } catch (JMException | SecurityException e) {
            System.getLogger("io.ksqlkit.bridge")
                    .log(System.Logger.Level.WARNING, "no JMX status for model " + name + ": " + e);
        }
        return made;
    }

    void took(PortableModel model, boolean isLive) {
        if (isLive) {
            if (live != null) {
                swaps.incrementAndGet();
            }
            live = model;
            takenAt = System.currentTimeMillis();
        }
    }

    void refused() {
        refused.incrementAndGet();
    }

    void looked(String trouble) {
        looks.incrementAndGet();
        status = trouble == null ? "OK" : trouble;
    }

    @Override
    public int getVersion() {
        return live == null ? 0 : live.version;
    }

    @Override
    public String getSha256() {
        return live == null ? "" : live.sha256;
    }

    @Override
    public long getTakenAt() {
        return takenAt;
    }

    @Override
    public long getSwaps() {
        return swaps.get();
    }

    @Override
    public long getRefused() {
        return refused.get();
    }

    @Override
    public long getLooks() {
        return looks.get();
    }

    @Override
    public String getStatus() {
        return status;
    }
}
