package io.ksqlkit.bridge;

import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * Rows a second, latency and processor time of FRAUD_SCORE as stream threads call it (a loop per thread, by reflection,
 * rows made anew): one POST a row as a simple function would do it, lane A, and lane L. All rows differ, so no cache
 * helps.
 *
 * <p>Usage: BenchLanes JAR URL MODEL_FILE SERVER_PID FEATURES SECONDS ROUNDS THREADS...; the lanes take turns, so that
 * what else the machine does meets all of them alike, after a while for the compiler. Prints a JSON line per lane,
 * number of threads and round.
 */
public final class BenchLanes {
    private static final String PATH = "/v1/functions/FRAUD_SCORE:batch";
    private static final double WARM_SECONDS = 3;
    private static final int WARM_THREADS = 16;
    private static final AtomicLong NUMBER = new AtomicLong();
    private static final ExecutorService POOL = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    });

    private static double[][] table;
    private static Path server;

    private BenchLanes() {}

    private interface Caller {
        Object score(Double[] row) throws Exception;
    }

    /** See the class. */
    public static void main(String[] args) throws Exception {
        server = Path.of("/proc/" + args[3] + "/stat");
        table = new double[2_000][Integer.parseInt(args[4])];
        Random random = new Random(7);
        for (double[] row : table) {
            Arrays.setAll(row, i -> random.nextGaussian());
        }
        Map<String, Caller> lanes = new LinkedHashMap<>();
        lanes.put("one POST a row", posts(args[1]));
        lanes.put("one POST a row by HttpURLConnection", plainPosts(args[1]));
        lanes.put("lane A", function(args[0], Map.of("ksql.functions._global_.scoring.url", args[1])));
        lanes.put("lane L", function(args[0], Map.of(
                "ksql.functions.fraud_score.lane", "local", "ksql.functions.fraud_score.model.file", args[2])));
        Double[] probe = row(99);
        double off = Math.abs((Double) lanes.get("lane A").score(probe) - (Double) lanes.get("lane L").score(probe));
        if (!(off < 1e-7)) {
            throw new IllegalStateException("the lanes differ by " + off);
        }
        double seconds = Double.parseDouble(args[5]);
        for (Map.Entry<String, Caller> lane : lanes.entrySet()) {
            run(lane.getKey(), lane.getValue(), WARM_THREADS, WARM_SECONDS);
        }
        for (int i = 7; i < args.length; i++) {
            int threads = Integer.parseInt(args[i]);
            for (int round = 0; round <= Integer.parseInt(args[6]); round++) {
                for (Map.Entry<String, Caller> lane : lanes.entrySet()) {
                    String line = run(lane.getKey(), lane.getValue(), threads, seconds);
                    if (round > 0) { // the first is for the number of threads
                        System.out.println(line);
                    }
                }
            }
        }
    }

    /** A row of no other number. */
    private static Double[] row(long number) {
        double[] from = table[(int) (number % table.length)];
        Double[] out = new Double[from.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = from[i];
        }
        out[0] += number * 1e-9;
        return out;
    }

    private static Caller posts(String url) {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        return row -> {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url + PATH))
                    .header("content-type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString(body(row)))
                    .build();
            return score(client.send(request, HttpResponse.BodyHandlers.ofByteArray()).body());
        };
    }

    /** The older client of the JDK, which reads in the calling thread. */
    private static Caller plainPosts(String url) {
        System.setProperty("http.maxConnections", "64"); // as many as there are threads
        return row -> {
            HttpURLConnection connection = (HttpURLConnection) new URL(url + PATH).openConnection();
            connection.setRequestMethod("POST");
            connection.setRequestProperty("content-type", "application/json");
            connection.setDoOutput(true);
            connection.getOutputStream().write(body(row).getBytes(StandardCharsets.UTF_8));
            try (InputStream in = connection.getInputStream()) {
                return score(in.readAllBytes());
            }
        };
    }

    private static String body(Double[] row) {
        StringBuilder body = new StringBuilder("{\"data\":[[0");
        for (Double x : row) {
            body.append(',').append(x);
        }
        return body.append("]]}").toString();
    }

    private static Object score(byte[] answer) {
        return ((List<?>) ((List<?>) ((Map<?, ?>) Json.parse(answer)).get("data")).get(0)).get(1);
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

    private static String run(String lane, Caller caller, int threads, double seconds) throws Exception {
        long own = ownTime();
        long its = serverTime();
        long calls = counter("Calls");
        long sent = counter("SentRows");
        long begin = System.nanoTime();
        long end = begin + (long) (seconds * 1e9);
        List<Future<long[]>> running = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            long first = NUMBER.getAndAdd(1L << 32);
            running.add(POOL.submit(() -> times(caller, first, end)));
        }
        List<long[]> found = new ArrayList<>();
        for (Future<long[]> one : running) {
            found.add(one.get());
        }
        double took = (System.nanoTime() - begin) / 1e9;
        long[] all = found.stream().flatMapToLong(Arrays::stream).sorted().toArray();
        double rows = all.length;
        double perCall = lane.equals("lane A") ? (counter("SentRows") - sent) / (double) (counter("Calls") - calls) : 1;
        return String.format(Locale.ROOT,
                "{\"lane\":\"%s\",\"threads\":%d,\"rows_per_s\":%.0f,\"p50_ms\":%.4f,\"p99_ms\":%.4f,"
                        + "\"jvm_us\":%.2f,\"server_us\":%.2f,\"rows_per_call\":%.1f}",
                lane, threads, rows / took, all[all.length / 2] / 1e6, all[(int) (rows * 0.99)] / 1e6,
                (ownTime() - own) / 1e3 / rows, (serverTime() - its) / 1e3 / rows, perCall);
    }

    /** How long each of the rows took that a thread called one after another, in nanoseconds. */
    private static long[] times(Caller caller, long first, long end) throws Exception {
        long[] out = new long[1 << 13];
        int count = 0;
        for (long before = System.nanoTime(); before - end < 0; count++) {
            if (caller.score(row(first + count)) == null) {
                throw new IllegalStateException("a row got no score");
            }
            long after = System.nanoTime();
            if (count == out.length) {
                out = Arrays.copyOf(out, count * 2);
            }
            out[count] = after - before;
            before = after;
        }
        return Arrays.copyOf(out, count);
    }

    /** The processor time of this JVM in nanoseconds; that of the harness is in it. */
    private static long ownTime() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    /** The processor time of the server in nanoseconds, where Linux says it in its hundredths of a second; else 0. */
    private static long serverTime() {
        try {
            String stat = Files.readString(server);
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * 10_000_000L;
        } catch (IOException e) {
            return 0;
        }
    }

    private static long counter(String name) throws JMException {
        return (Long) ManagementFactory.getPlatformMBeanServer()
                .getAttribute(new ObjectName("io.ksqlkit.bridge:type=Function,name=FRAUD_SCORE"), name);
    }
}
