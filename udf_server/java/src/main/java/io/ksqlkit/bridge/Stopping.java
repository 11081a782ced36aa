package io.ksqlkit.bridge;

import java.lang.reflect.Method;
import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * Whether a thread's query is being stopped. TERMINATE only asks a stream thread to stop; it is not interrupted, and
 * what it waits for holds up TERMINATE and all statements behind it. So we ask the thread itself.
 */
final class Stopping {
    private static final Map<Thread, Long> SINCE = Collections.synchronizedMap(new WeakHashMap<>());

    private static final ClassValue<Method> IS_RUNNING = new ClassValue<>() {
        @Override
        protected Method computeValue(Class<?> type) {
            for (Class<?> c = type; c != null && c != Thread.class; c = c.getSuperclass()) {
                if (c.getSimpleName().equals("StreamThread")) {
                    try {
                        Method found = c.getMethod("isRunning");
                        found.setAccessible(true);
                        return found;
                    } catch (ReflectiveOperationException | RuntimeException e) {
                        return null; // another Kafka: the deadline alone bounds the wait
                    }
                }
            }
            return null;
        }
    };

    private Stopping() {}

    /** The nanosecond by which a thread that is to stop must be done, or null while it may go on. */
    static Long deadline(Thread thread, long graceMs) {
        if (thread.isInterrupted()) {
            return System.nanoTime() - 1;
        }
        Method running = IS_RUNNING.get(thread.getClass());
        if (running == null) {
            return null;
        }
        try {
            if (Boolean.TRUE.equals(running.invoke(thread))) {
                return null;
            }
        } catch (ReflectiveOperationException e) {
            return null;
        }
        return SINCE.computeIfAbsent(thread, t -> System.nanoTime()) + graceMs * 1_000_000L;
    }
}
