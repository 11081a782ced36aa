package io.ksqlkit.bridge;

import java.lang.reflect.Method;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * Rows a second and latency of FRAUD_SCORE as stream threads call it (a loop per thread, by reflection): one POST a
 * row as a simple function would do it, lane A, and lane L. All rows differ, so no cache helps.
 *
 * <p>Usage: BenchLanes JAR URL MODEL_FILE FEATURES SECONDS ROUNDS THREADS...; the lanes take turns, so that what else
 * the machine does meets all of them alike. Prints a JSON line per lane, number of threads and round.
 */
public final class BenchLanes {
    private BenchLanes() {}

    private static int seed = 1000;

    private interface Caller {
        Object score(Double[] row) throws Exception;
    }

    /** See the class. */
    public static void main(String[] args) throws Exception {
        int features = Integer.parseInt(args[3]);
        double seconds = Double.parseDouble(args[4]);
        Map<String, Caller> lanes = new java.util.LinkedHashMap<>();
        lanes.put("one POST a row", posts(args[1]));
        lanes.put("lane A", function(args[0], Map.of("ksql.functions._global_.scoring.url", args[1])));
        lanes.put("lane L", function(args[0], Map.of(
                "ksql.functions.fraud_score.lane", "local", "ksql.functions.fraud_score.model.file", args[2])));
        Double[] probe = rows(features, 99)[0];
        Object wanted = lanes.get("lane A").score(probe);
        double off = Math.abs((Double) wanted - (Double) lanes.get("lane L").score(probe));
        if (!(off < 1e-7)) {
            throw new IllegalStateException("the lanes differ by " + off);
        }
        int rounds = Integer.parseInt(args[5]);
        for (int i = 6; i < args.length; i++) {
            int threads = Integer.parseInt(args[i]);
            for (int round = 0; round <= rounds; round++) {
                for (Map.Entry<String, Caller> lane : lanes.entrySet()) {
                    String line = run(lane.getKey(), lane.getValue(), threads, features, seconds);
                    if (round > 0) { // the first is for the compiler
                        System.out.println(line);
                    }
                }
            }
        }
    }

    private static Double[][] rows(int features, int seed) {
        Random random = new Random(seed);
        Double[][] out = new Double[2_000][features];
        for (Double[] row : out) {
            Arrays.setAll(row, i -> random.nextGaussian());
        }
        return out;
    }

    private static Caller posts(String url) {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        return row -> {
            StringBuilder body = new StringBuilder("{\"data\":[[0");
            for (Double x : row) {
                body.append(',').append(x);
            }
            HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/v1/functions/FRAUD_SCORE:batch"))
                    .header("content-type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString(body.append("]]}").toString()))
                    .build();
            byte[] answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray()).body();
            return ((List<?>) ((List<?>) ((Map<?, ?>) Json.parse(answer)).get("data")).get(0)).get(1);
        };
    }

    private static Caller function(String jar, Map<String, ?> properties) throws Exception {
        URL url = Path.of(jar).toUri().toURL();
        Class<?> type = new Loader(url).loadClass("io.ksqlkit.bridge.functions.FRAUD_SCORE");
        Object object = type.getDeclaredConstructor().newInstance();
        ((org.apache.kafka.common.Configurable) object).configure(new HashMap<>(properties));
        Method method = type.getMethod("overload0", Double[].class);
        return row -> method.invoke(object, (Object) row);
    }

    /** The jar's classes from the jar, not from this harness. */
    private static final class Loader extends URLClassLoader {
        Loader(URL jar) {
            super(new URL[] {jar}, BenchLanes.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            Class<?> found = findLoadedClass(name);
            return found != null ? found : name.startsWith("io.ksqlkit") ? findClass(name) : super.loadClass(name, resolve);
        }
    }

    private static String run(String lane, Caller caller, int threads, int features, double seconds) throws Exception {
        List<Thread> running = new ArrayList<>();
        List<long[]> times = new ArrayList<>();
        List<Throwable> failures = new ArrayList<>();
        List<Double[][]> given = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            given.add(rows(features, seed++)); // rows of no run before: the cache must not help
        }
        long end = System.nanoTime() + (long) (seconds * 1e9);
        for (Double[][] rows : given) {
            Thread thread = new Thread(() -> {
                long[] mine = new long[1 << 16];
                int count = 0;
                try {
                    for (long before = System.nanoTime(); before - end < 0; count++) {
                        Double[] row = rows[count % rows.length];
                        row[0] += 1e-3; // a new row each time round
                        if (caller.score(row) == null) {
                            throw new IllegalStateException("a row got no score");
                        }
                        long after = System.nanoTime();
                        if (count == mine.length) {
                            mine = Arrays.copyOf(mine, count * 2);
                        }
                        mine[count] = after - before;
                        before = after;
                    }
                } catch (Exception e) {
                    synchronized (failures) {
                        failures.add(e);
                    }
                }
                synchronized (times) {
                    times.add(Arrays.copyOf(mine, count));
                }
            });
            running.add(thread);
        }
        long begin = System.nanoTime();
        for (Thread thread : running) {
            thread.start();
        }
        for (Thread thread : running) {
            thread.join();
        }
        if (!failures.isEmpty()) {
            throw new IllegalStateException(failures.get(0));
        }
        double took = (System.nanoTime() - begin) / 1e9;
        long[] all = times.stream().flatMapToLong(Arrays::stream).sorted().toArray();
        return String.format(Locale.ROOT,
                "{\"lane\":\"%s\",\"threads\":%d,\"rows_per_s\":%.0f,\"p50_ms\":%.4f,\"p99_ms\":%.4f}",
                lane, threads, all.length / took, all[all.length / 2] / 1e6, all[(int) (all.length * 0.99)] / 1e6);
    }
}
