package io.ksqlkit.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;
import javax.management.ObjectName;
import org.apache.kafka.connect.data.Struct;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lane L: the toy tree answers 3 for (x, 1 or more), and what lies below is 0.5 + low. */
class LocalLaneTest {
    @TempDir
    Path folder;

    private FakeServer server;

    @BeforeEach
    void start() throws Exception {
        server = new FakeServer();
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
    }

    private Functions.Score served(String... more) {
        String[] all = java.util.Arrays.copyOf(
                new String[] {"score.lane", "local", "score.model.poll.ms", "100"}, 4 + more.length);
        System.arraycopy(more, 0, all, 4, more.length);
        return Functions.at(server, new Functions.Score(), all);
    }

    private static Functions.Score alone(Path file, String... more) {
        Map<String, Object> properties = new HashMap<>();
        properties.put("ksql.functions.score.lane", "local");
        properties.put("ksql.functions.score.model.file", file.toString());
        for (int i = 0; i < more.length; i += 2) {
            properties.put("ksql.functions." + more[i], more[i + 1]);
        }
        Functions.Score score = new Functions.Score();
        score.configure(properties);
        return score;
    }

    private static void eventually(BooleanSupplier wanted) throws Exception {
        for (int i = 0; i < 500 && !wanted.getAsBoolean(); i++) {
            Thread.sleep(10);
        }
        assertTrue(wanted.getAsBoolean());
    }

    private Object status(String attribute) throws Exception {
        ObjectName name = new ObjectName(
                "io.ksqlkit.bridge:type=Model,name=toy,source=" + ObjectName.quote(server.url()));
        return ManagementFactory.getPlatformMBeanServer().getAttribute(name, attribute);
    }

    @Test
    void theServersModelIsFetchedAndFollowedWithoutARestart() throws Exception {
        server.form(1, Toys.tree(1, -1.5));
        Functions.Score live = served("score.version", "live", "score.lane.fallback", "none");
        assertEquals(-1.0, live.of(0.0, 0.5), "the first row waits for the model");
        assertEquals(3.0, live.of(0.0, null));
        assertEquals(0, server.calls.get());
        server.form(2, Toys.tree(2, -2.5));
        eventually(() -> live.of(0.0, 0.5) == -2.0);
        assertEquals(1L, status("Swaps"));
        assertEquals(2, status("Version"));
        assertEquals("OK", status("Status"));
        int before = server.looks.get();
        eventually(() -> server.looks.get() > before + 1);
        assertEquals(2, server.forms.get(), "an unchanged model is not sent again");
    }

    @Test
    void aQueryKeepsTheVersionOfItsFirstRowAndAnotherStartsWithTheNext() throws Exception {
        server.form(1, Toys.tree(1, -1.5));
        Functions.Score first = served("score.lane.fallback", "none");
        assertEquals(-1.0, first.of(0.0, 0.5));
        server.form(2, Toys.tree(2, -2.5));
        Functions.Score follows = served("score.version", "live", "score.lane.fallback", "none");
        eventually(() -> follows.of(0.0, 0.5) == -2.0);
        assertEquals(-1.0, first.of(0.0, 0.5));
        assertEquals(-2.0, served("score.lane.fallback", "none").of(0.0, 0.5));
        assertEquals(-1.0, served("score.version", "1", "score.lane.fallback", "none").of(0.0, 0.5));
    }

    @Test
    void whatDoesNotVerifyIsRefusedAndTheModelBeforeServesOn() throws Exception {
        server.form(1, Toys.tree(1, -1.5));
        Functions.Score live = served("score.version", "live", "score.lane.fallback", "none");
        assertEquals(-1.0, live.of(0.0, 0.5));
        server.form(2, Toys.file(Toys.tree(2, -2.5), Toys.tree(2, -2.25)), "");
        eventually(() -> ((String) attribute("Status")).contains("checksum"));
        assertEquals(-1.0, live.of(0.0, 0.5));
        assertTrue((Long) status("Refused") > 0);
        assertEquals(1, status("Version"));
        server.form(3, Toys.file(Toys.tree(3, -3.5)), Toys.sha("something else"));
        long refused = (Long) status("Refused");
        eventually(() -> (Long) attribute("Refused") > refused);
        assertEquals(-1.0, live.of(0.0, 0.5), "the sender's own checksum differs");
        server.form(4, Toys.tree(4, -4.5));
        eventually(() -> live.of(0.0, 0.5) == -4.0);
        assertEquals("OK", status("Status"));
    }

    private Object attribute(String name) {
        try {
            return status(name);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void onlyTheChecksumThatWasSetIsTaken() throws Exception {
        server.form(1, Toys.tree(1, -1.5));
        String[] wanted = {"score.lane.fallback", "none", "score.model.sha256", Toys.sha(Toys.tree(1, -1.5))};
        assertEquals(-1.0, served(wanted).of(0.0, 0.5));
        wanted[3] = Toys.sha("another");
        assertNull(served(wanted).of(0.0, 0.5));
        Functions.ScoreDetail detail = Functions.at(
                server, new Functions.ScoreDetail(), "score_detail.lane", "local", "score_detail.lane.fallback", "none",
                "score_detail.model.sha256", wanted[3]);
        Struct row = detail.of(0.0, 0.5);
        assertEquals("UNAVAILABLE", row.get("STATUS"));
        assertTrue(((String) row.get("REASON")).contains("model.sha256 asks for"), (String) row.get("REASON"));
    }

    @Test
    void untilTheModelIsThereTheServerAnswersIfItMay() throws Exception {
        server.formStatus = 406;
        Functions.Score score = served();
        assertEquals(7.0, score.of(7.0, 8.0), "lane A echoes the first argument");
        Functions.Score alone = served("score.lane.fallback", "none", "score.on.failure", "fail");
        RuntimeException said = assertThrows(RuntimeException.class, () -> alone.of(7.0, 8.0));
        assertTrue(said.getMessage().contains("no such form"), said.getMessage());
        server.formStatus = 200;
        server.form(1, Toys.tree(1, -1.5));
        eventually(() -> score.of(7.0, 8.0) == 3.0);
        assertThrows(
                IllegalArgumentException.class, () -> served("score.lane.fallback", "perhaps"));
    }

    @Test
    void aVersionThatThereIsNotHoldsNoRowUp() throws Exception {
        server.form(1, Toys.tree(1, -1.5));
        Functions.Score absent = served("score.lane.fallback", "none", "score.version", "9");
        Functions.Score there = served("score.lane.fallback", "none");
        assertNull(absent.of(0.0, 0.5));
        assertEquals(-1.0, there.of(0.0, 0.5));
        int looks = server.looks.get();
        eventually(() -> server.looks.get() > looks + 5);
        long started = System.nanoTime();
        for (int i = 0; i < 100; i++) {
            assertNull(absent.of(0.0, 0.5));
        }
        assertTrue((System.nanoTime() - started) / 1_000_000 < 500);
    }

    @Test
    void theDetailFormSaysWhichModelAnswered() throws Exception {
        server.form(5, Toys.tree(5, -1.5));
        Struct row = Functions.at(
                        server, new Functions.ScoreDetail(), "score_detail.lane", "local",
                        "score_detail.lane.fallback", "none")
                .of(0.0, 0.5);
        assertEquals("OK", row.get("STATUS"));
        assertEquals(-1.0, row.get("VALUE"));
        assertEquals("toy", row.get("MODEL"));
        assertEquals(5, row.get("VERSION"));
    }

    @Test
    void aModelNamedInSqlIsTheLiveOneOrThatOfAVersion() throws Exception {
        server.form(1, Toys.tree(1, -1.5));
        Functions.Predict predict = Functions.at(
                server, new Functions.Predict(), "predict.lane", "local", "predict.lane.fallback", "none",
                "predict.model.poll.ms", "100");
        assertEquals(-1.0, predict.of("toy", 0.0, 0.5));
        server.form(2, Toys.tree(2, -2.5));
        eventually(() -> predict.of("toy", 0.0, 0.5) == -2.0);
        assertEquals(-1.0, predict.of("toy@1", 0.0, 0.5));
        assertNull(predict.of("absent", 0.0, 0.5));
        assertNull(predict.of(null, 0.0, 0.5));
        assertNull(predict.of("../toy", 0.0, 0.5));
    }

    @Test
    void aFileNeedsNoServerAndIsSwappedBetweenRows() throws Exception {
        Path file = folder.resolve("toy.model");
        Files.write(file, Toys.file(Toys.tree(1, -1.5)));
        Functions.Score score = alone(file, "score.version", "live");
        Functions.Score first = alone(folder);
        assertEquals(-1.0, score.of(0.0, 0.5));
        assertEquals(-1.0, first.of(0.0, 0.5), "a folder holds NAME.model");
        assertEquals(3.0, score.of(Map.of("b", 4.0)));
        assertNull(score.of(1.0), "a wrong number of features is the row's fault");
        Files.writeString(file, "broken");
        Thread.sleep(1300);
        assertEquals(-1.0, score.of(0.0, 0.5), "a broken file changes nothing");
        Files.write(file, Toys.file(Toys.tree(2, -2.5)));
        Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis() + 5000));
        eventually(() -> score.of(0.0, 0.5) == -2.0);
        assertEquals(-1.0, first.of(0.0, 0.5), "this query is pinned");
    }

    @Test
    void withoutAUsableFileTheServerAnswers() throws Exception {
        Functions.Score score = Functions.at(
                server, new Functions.Score(), "score.lane", "local",
                "score.model.file", folder.resolve("absent").toString());
        assertEquals(7.0, score.of(7.0, 8.0));
        assertNull(alone(folder.resolve("absent2")).of(7.0, 8.0));
    }

    @Test
    void setForAllItIsForThoseThatCan() {
        assertEquals(4L, Functions.at(server, new Functions.Echo(), "_global_.lane", "local").of(4L));
        RuntimeException said = assertThrows(
                IllegalArgumentException.class,
                () -> Functions.at(server, new Functions.Echo(), "echo.lane", "local"));
        assertTrue(said.getMessage().contains("ksql.functions.echo.lane"), said.getMessage());
    }

    @Test
    void sixteenThreadsSeeOneVersionOrTheOther() throws Exception {
        server.form(1, Toys.tree(1, -1.5));
        Functions.Score live = served("score.version", "live", "score.lane.fallback", "none");
        live.of(0.0, 0.5);
        java.util.concurrent.ExecutorService pool = java.util.concurrent.Executors.newFixedThreadPool(16);
        java.util.List<java.util.concurrent.Future<Boolean>> work = new java.util.ArrayList<>();
        long end = System.nanoTime() + 1_500_000_000L;
        for (int t = 0; t < 16; t++) {
            work.add(pool.submit(() -> {
                while (System.nanoTime() - end < 0) {
                    double found = live.of(0.0, 0.5);
                    if (found != -1.0 && found != -2.0 || live.of(0.0, 2.0) != 3.0) {
                        return false;
                    }
                }
                return true;
            }));
        }
        for (int version = 2; System.nanoTime() - end < 0; version++) {
            server.form(version, Toys.tree(version, version % 2 == 0 ? -2.5 : -1.5));
            Thread.sleep(150);
        }
        for (java.util.concurrent.Future<Boolean> one : work) {
            assertTrue(one.get());
        }
        pool.shutdown();
        assertTrue((Long) status("Swaps") > 2);
    }
}
