package io.ksqlkit.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.kafka.connect.data.Struct;
import org.junit.jupiter.api.Test;

/** What goes wrong outside gets a status, and a reason that names what to set. */
class BadInputTest {
    private static void says(String status, String because, Struct detail) {
        assertEquals(status, detail.get("STATUS"));
        String reason = (String) detail.get("REASON");
        assertTrue(reason.contains(because), reason);
    }

    @Test
    void aServerThatIsNotThereNamesItsProperty() throws Exception {
        FakeServer gone = new FakeServer();
        gone.close();
        says("UNAVAILABLE", "ksql.functions._global_.scoring.url", Functions.at(gone, new Functions.Detail()).of(1L));
        Functions.Detail nowhere = new Functions.Detail();
        nowhere.configure(Map.of("ksql.functions._global_.scoring.url", "http://no-such-host.invalid:8090"));
        says("UNAVAILABLE", "there is no host no-such-host.invalid", nowhere.of(1L));
    }

    @Test
    void aFunctionThatTheServerHasNoMoreLeadsToTheCheck() throws Exception {
        try (FakeServer server = new FakeServer()) {
            server.mode = FakeServer.Mode.UNKNOWN;
            Functions.Detail detail = Functions.at(server, new Functions.Detail());
            for (int i = 0; i < 10; i++) { // a server that answers is not given up
                says("UNAVAILABLE", "ksqlkit functions check", detail.of(1L));
            }
            assertEquals(10, server.calls.get());
        }
    }

    @Test
    void anAnswerOfAnotherTypeLeadsToANewJar() throws Exception {
        try (FakeServer server = new FakeServer()) {
            server.mode = FakeServer.Mode.OTHER_TYPE;
            Functions.Echo echo = Functions.at(server, new Functions.Echo(), "echo.on.failure", "fail");
            RuntimeException said = assertThrows(RuntimeException.class, () -> echo.of(1L));
            assertTrue(said.getMessage().contains("ksqlkit functions build"), said.getMessage());
        }
    }

    @Test
    void aHugeTextFailsAloneAndIsNotSent() throws Exception {
        try (FakeServer server = new FakeServer()) {
            Functions.Length length = Functions.at(server, new Functions.Length());
            String huge = "x".repeat(9 << 20);
            ExecutorService pool = Executors.newFixedThreadPool(8);
            server.delayMs = 20;
            List<Future<Struct>> found = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                String text = i % 8 == 3 ? huge : i % 8 == 5 ? huge.substring(0, 5 << 20) : "short";
                found.add(pool.submit(() -> length.of(text)));
            }
            for (int i = 0; i < 40; i++) {
                Struct row = found.get(i).get();
                if (i % 8 == 3) {
                    says("INVALID_INPUT", "8 MiB", row);
                } else { // the fake server answers the value alone, which is no DETAIL
                    says("UNAVAILABLE", "answer", row);
                }
            }
            pool.shutdown();
            assertEquals(35, server.rows.get());
        }
    }

    @Test
    void whatIsNoNumberIsMissing() throws Exception {
        try (FakeServer server = new FakeServer()) {
            Functions.Score score = Functions.at(server, new Functions.Score());
            for (Double x : new Double[] {Double.NaN, Double.POSITIVE_INFINITY, null}) {
                assertNull(score.of(x, 1.0), "sent as null, and echoed");
            }
            assertEquals(1.0, score.of(1.0, Double.NaN));
        }
    }

    @Test
    void twoObjectsOfTwoJarsKeepApart() throws Exception {
        try (FakeServer one = new FakeServer(); FakeServer two = new FakeServer()) {
            two.version = 9;
            Functions.Echo first = Functions.at(one, new Functions.Echo());
            Functions.Echo second = Functions.at(two, new Functions.Echo());
            first.of(1L);
            second.of(1L);
            first.of(2L);
            second.of(2L);
            assertEquals("/v1/functions/ECHO@1:batch", one.paths.get(1));
            assertEquals("/v1/functions/ECHO@9:batch", two.paths.get(1));
        }
    }
}
