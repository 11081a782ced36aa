package io.ksqlkit.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.kafka.connect.data.Struct;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RemoteFunctionTest {
    private FakeServer server;

    @BeforeEach
    void start() throws Exception {
        server = new FakeServer();
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
    }

    /** Rows of 16 threads, each of which must get its own answers. */
    private static void sixteenThreads(Functions.Echo echo, int rows) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(16);
        List<Future<Boolean>> found = new ArrayList<>();
        for (int t = 0; t < 16; t++) {
            long base = t * 1_000_000L;
            Callable<Boolean> work = () -> {
                for (long i = 0; i < rows; i++) {
                    assertEquals(base + i, echo.of(base + i));
                }
                return true;
            };
            found.add(pool.submit(work));
        }
        for (Future<Boolean> one : found) {
            assertTrue(one.get());
        }
        pool.shutdown();
    }

    @Test
    void sixteenThreadsEachGetTheirOwnAnswers() throws Exception {
        server.delayMs = 1;
        sixteenThreads(Functions.at(server, new Functions.Echo()), 300);
        assertEquals(4800, server.rows.get());
        assertTrue(server.calls.get() < 1200, server.calls + " calls for 4800 rows");
    }

    @ParameterizedTest
    @ValueSource(strings = {"1", "2", "8"})
    void moreRowsThanACallTakesGoInSeveral(String connections) throws Exception {
        sixteenThreads(Functions.at(server, new Functions.Few(), "few.connections", connections), 100);
        assertEquals(1600, server.rows.get());
        assertEquals(3, server.largest.get());
    }

    @Test
    void noRowIsLeftBehindWhenThreadsComeAndGo() throws Exception {
        Functions.Echo echo = Functions.at(server, new Functions.Echo(), "_global_.timeout.ms", "20000");
        server.delayMs = 1;
        ExecutorService pool = Executors.newFixedThreadPool(16);
        List<Future<Long>> found = new ArrayList<>();
        for (int t = 0; t < 16; t++) {
            int thread = t;
            found.add(pool.submit(() -> {
                java.util.Random random = new java.util.Random(thread);
                long longest = 0;
                for (long i = 0; i < 150; i++) {
                    if (random.nextInt(20) == 0) {
                        Thread.sleep(random.nextInt(30)); // the others cannot know
                    }
                    long before = System.nanoTime();
                    assertEquals(i, echo.of(i));
                    longest = Math.max(longest, System.nanoTime() - before);
                }
                return longest / 1_000_000;
            }));
        }
        for (Future<Long> one : found) {
            assertTrue(one.get() < 10_000, one.get() + " ms");
        }
        pool.shutdown();
    }

    @ParameterizedTest
    @EnumSource(names = {"RESET", "SHORT", "SWAPPED", "ERROR_500", "HALF", "GARBAGE", "SLOW"})
    void aFaultOfTheServerIsNullWithItsStatusInTheDetail(FakeServer.Mode fault) {
        server.mode = fault;
        String[] quick = {"_global_.timeout.ms", "200"};
        long started = System.nanoTime();
        assertNull(Functions.at(server, new Functions.Echo(), quick).of(7L));
        Struct detail = Functions.at(server, new Functions.Detail(), quick).of(7L);
        assertTrue((System.nanoTime() - started) / 1_000_000 < 1500, "bounded by its deadline");
        assertNull(detail.get("VALUE"));
        assertEquals(fault == FakeServer.Mode.SLOW ? "TIMEOUT" : "UNAVAILABLE", detail.get("STATUS"));
        assertTrue(!((String) detail.get("REASON")).isEmpty());
    }

    @Test
    void aBadRowFailsAlone() {
        server.mode = FakeServer.Mode.BAD_ROW;
        Struct detail = Functions.at(server, new Functions.Detail()).of(7L);
        assertEquals("INVALID_INPUT", detail.get("STATUS"));
        assertEquals("no such thing", detail.get("REASON"));
        assertEquals(1, server.calls.get());
    }

    @Test
    void aBusyServerIsAskedAgainWithTheSameKey() {
        server.mode = FakeServer.Mode.BUSY_THEN_GOOD;
        assertEquals(7L, Functions.at(server, new Functions.Echo()).of(7L));
        assertEquals(2, server.calls.get());
        assertEquals(1, Set.copyOf(server.keys).size());
        assertEquals(2, server.keys.size());
    }

    @Test
    void aConnectionThatGrewOldIsReplaced() throws Exception {
        Functions.Echo echo = Functions.at(server, new Functions.Echo());
        assertEquals(1L, echo.of(1L));
        server.hangUp();
        assertEquals(2L, echo.of(2L));
        server.mode = FakeServer.Mode.CLOSE_AFTER;
        for (long i = 0; i < 5; i++) {
            assertEquals(i, echo.of(i));
        }
    }

    @Test
    void aDeadServerIsGivenUpAtOnceAndFoundAgain() throws Exception {
        Functions.Echo echo = Functions.at(server, new Functions.Echo());
        server.mode = FakeServer.Mode.RESET;
        for (int i = 0; i < 3; i++) {
            assertNull(echo.of(1L));
        }
        int asked = server.calls.get();
        long started = System.nanoTime();
        for (int i = 0; i < 1000; i++) {
            assertNull(echo.of(1L));
        }
        assertTrue((System.nanoTime() - started) / 1_000_000 < 500, "no waiting while it is given up");
        assertEquals(asked, server.calls.get());
        server.mode = FakeServer.Mode.GOOD;
        Thread.sleep(1100);
        assertEquals(5L, echo.of(5L));
    }

    @Test
    void whatARowGetsOnFailureIsSetPerFunction() {
        server.mode = FakeServer.Mode.GARBAGE;
        String[] defaults = {"echo.on.failure", "default", "echo.default", "42"};
        assertEquals(42L, Functions.at(server, new Functions.Echo(), defaults).of(1L));
        Functions.Echo fails = Functions.at(server, new Functions.Echo(), "_global_.on.failure", "fail");
        RuntimeException said = assertThrows(RuntimeException.class, () -> fails.of(1L));
        assertTrue(said.getMessage().contains("ECHO: UNAVAILABLE"), said.getMessage());
    }

    @Test
    void blockWaitsUntilTheServerIsBack() throws Exception {
        server.mode = FakeServer.Mode.RESET;
        Functions.Echo echo = Functions.at(server, new Functions.Echo(), "echo.on.failure", "block");
        Thread healer = new Thread(() -> {
            try {
                Thread.sleep(700);
            } catch (InterruptedException e) {
                return;
            }
            server.mode = FakeServer.Mode.GOOD;
        });
        healer.start();
        assertEquals(9L, echo.of(9L));
        healer.join();
    }

    @Test
    void blockIsBounded() {
        server.mode = FakeServer.Mode.RESET;
        Functions.Echo echo =
                Functions.at(server, new Functions.Echo(), "echo.on.failure", "block", "echo.block.max.ms", "300");
        long started = System.nanoTime();
        assertThrows(RuntimeException.class, () -> echo.of(9L));
        assertTrue((System.nanoTime() - started) / 1_000_000 < 1500);
    }

    @Test
    void equalRowsOfADeterministicFunctionMakeOneCall() throws Exception {
        Functions.Pure pure = Functions.at(server, new Functions.Pure());
        assertEquals(1L, pure.of(1L)); // learns the version
        server.delayMs = 50;
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Long>> found = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            found.add(pool.submit(() -> pure.of(5L, 6L)));
        }
        for (Future<Long> one : found) {
            assertEquals(5L, one.get());
        }
        pool.shutdown();
        assertEquals(2, server.calls.get());
        assertEquals(5L, pure.of(5L, 6L));
        assertEquals(2, server.calls.get());
    }

    @Test
    void aQueryKeepsTheVersionOfItsFirstRow() {
        Functions.Echo pinned = Functions.at(server, new Functions.Echo());
        Functions.Echo live = Functions.at(server, new Functions.Echo(), "echo.version", "live");
        Functions.Echo fixed = Functions.at(server, new Functions.Echo(), "echo.version", "7");
        pinned.of(1L);
        server.version = 2;
        server.paths.clear();
        pinned.of(1L);
        live.of(1L);
        fixed.of(1L);
        assertEquals(
                List.of("/v1/functions/ECHO@1:batch", "/v1/functions/ECHO:batch", "/v1/functions/ECHO@7:batch"),
                server.paths);
    }

    /** Named as Kafka's own; what is asked of it is public there too. */
    public static final class StreamThread extends Thread {
        volatile boolean running = true;

        StreamThread(Runnable work) {
            super(work);
        }

        public boolean isRunning() {
            return running;
        }
    }

    @Test
    void aQueryThatIsToStopDoesNotWaitForItsCall() throws Exception {
        server.mode = FakeServer.Mode.SLOW;
        Functions.Echo echo = Functions.at(
                server, new Functions.Echo(), "_global_.terminate.grace.ms", "100", "echo.connections", "1");
        List<StreamThread> threads = new ArrayList<>();
        for (int i = 0; i < 3; i++) { // one waits for the server, two for their turn
            StreamThread thread = new StreamThread(() -> {
                for (long row = 0; row < 20; row++) {
                    echo.of(row);
                }
            });
            threads.add(thread);
            thread.start();
        }
        Thread.sleep(200);
        long started = System.nanoTime();
        for (StreamThread thread : threads) {
            thread.running = false;
        }
        for (StreamThread thread : threads) {
            thread.join(2500);
            assertTrue(!thread.isAlive(), "it still waits");
        }
        assertTrue((System.nanoTime() - started) / 1_000_000 < 1000);
    }

    @Test
    void anInterruptEndsACall() throws Exception {
        server.mode = FakeServer.Mode.SLOW;
        Functions.Echo echo = Functions.at(server, new Functions.Echo());
        Thread thread = new Thread(() -> echo.of(1L));
        thread.start();
        Thread.sleep(150);
        thread.interrupt();
        thread.join(1000);
        assertTrue(!thread.isAlive());
    }

    @Test
    void aNullArgumentIsNullWithoutACall() {
        assertNull(Functions.at(server, new Functions.Echo()).of((Long) null));
        assertEquals(0, server.calls.get());
        assertNull(Functions.at(server, new Functions.Pure()).of((Long) null));
        assertEquals(1, server.calls.get());
    }

    @Test
    void theGenericFunctionCallsByName() {
        Functions.Ai ai = Functions.at(server, new Functions.Ai());
        assertEquals(3L, ai.of("newer_one", 3L, 4L));
        assertEquals("/v1/functions/NEWER_ONE:batch", server.paths.get(0));
        assertThrows(IllegalArgumentException.class, () -> ai.of("../x", 1L));
        for (int i = 1; i < 200; i++) {
            ai.of("f" + i, 1L);
        }
        assertThrows(IllegalArgumentException.class, () -> ai.of("one_too_many", 1L));
        assertEquals(3L, ai.of("newer_one", 3L, 4L));
    }

    @Test
    void aSlipInTheSettingsSaysWhatIsKnown() {
        RuntimeException slip = assertThrows(
                RuntimeException.class, () -> Functions.at(server, new Functions.Echo(), "echo.timout.ms", "5"));
        assertTrue(slip.getMessage().contains("timeout.ms"), slip.getMessage());
        Functions.at(server, new Functions.Echo(), "echo_detail.anything", "handed over by prefix, not ours");
        RuntimeException none = assertThrows(RuntimeException.class, () -> new Functions.Echo().configure(Map.of()));
        assertTrue(none.getMessage().contains("ksql.functions._global_.scoring.url"), none.getMessage());
    }

    @Test
    void countersAreInJmx() throws Exception {
        Functions.at(server, new Functions.Pure()).of(77L);
        Object rows = java.lang.management.ManagementFactory.getPlatformMBeanServer()
                .getAttribute(new javax.management.ObjectName("io.ksqlkit.bridge:type=Function,name=PURE"), "Ok");
        assertTrue((Long) rows > 0);
    }
}
