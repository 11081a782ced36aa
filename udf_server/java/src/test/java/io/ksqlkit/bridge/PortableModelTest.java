package io.ksqlkit.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.junit.jupiter.api.Test;

class PortableModelTest {
    private static void refused(String because, byte[] file) {
        IOException said = assertThrows(IOException.class, () -> PortableModel.read(file));
        assertTrue(said.getMessage().contains(because), said.getMessage());
    }

    private static void refused(String because, String body) throws Exception {
        refused(because, Toys.file(body));
    }

    @Test
    void walksByThresholdAndByDefaultDirection() throws Exception {
        RowModel model = (RowModel) PortableModel.read(Toys.file(Toys.tree(1, -1.5)));
        assertEquals(-1.0, model.margins(new double[] {9, Math.nextDown(1f)})[0]);
        assertEquals(3.0, model.margins(new double[] {9, 1})[0]);
        assertEquals(3.0, model.margins(new double[] {9, Math.nextDown(1.0)})[0], "as a float32 it is 1");
        assertEquals(3.0, model.margins(new double[] {9, Double.NaN})[0]);
    }

    @Test
    void whatDoesNotVerifyIsRefused() throws Exception {
        String good = Toys.tree(1, -1.5);
        refused("checksum", Toys.file(good, Toys.tree(1, -1.25)));
        refused("margin", good.replace("\"base\":" + Toys.doubles(0.5), "\"base\":" + Toys.doubles(0.25)));
        refused("vector 1 gets 3.0, not 3.1", good.replace("\"values\":" + Toys.doubles(-1, 3), "\"values\":"
                + Toys.doubles(-1, 3.1)));
        refused("children", good.replace(Toys.ints(1, -1, -1), Toys.ints(0, -1, -1)));
        refused("children", good.replace(Toys.ints(1, -1, -1), Toys.ints(1, 3, -1)));
        refused("feature 7 of 2", good.replace(Toys.ints(1, 0, 0), Toys.ints(7, 0, 0)));
        refused("no test vectors", good.replace("\"values\":" + Toys.doubles(-1, 3), "\"values\":\"\""));
        refused("build it again", "{\"format\":\"ksqlkit-model-9\"}\n{}".getBytes(StandardCharsets.UTF_8));
        refused("no model", "not json".getBytes(StandardCharsets.UTF_8));
        refused("names another model", new String(Toys.file(good), StandardCharsets.UTF_8)
                .replaceFirst("\"name\":\"toy\"", "\"name\":\"other\"").getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void everyByteCounts() throws Exception {
        byte[] good = Toys.file(Toys.tree(1, -1.5));
        for (int at = 0; at < good.length; at++) {
            byte[] bad = good.clone();
            bad[at] ^= 1;
            assertThrows(IOException.class, () -> PortableModel.read(bad), "byte " + at);
            int cut = at;
            assertThrows(IOException.class, () -> PortableModel.read(java.util.Arrays.copyOf(good, cut)));
        }
    }

    @Test
    void featuresComeInOrderOrByNameAndWordsByTheirPlace() throws Exception {
        PortableModel model = PortableModel.read(Toys.file(Toys.line()));
        double sure = 1 / (1 + Math.exp(-4));
        Schema schema = SchemaBuilder.struct()
                .field("WORD", Schema.OPTIONAL_STRING_SCHEMA)
                .field("NUMBER", Schema.OPTIONAL_INT64_SCHEMA)
                .build();
        assertEquals(sure, model.answer("score", new Object[] {1.5, "blue"}, 0));
        assertEquals(sure, model.answer("score", new Object[] {"m", Map.of("number", 1.5, "word", "blue")}, 1));
        assertEquals(
                1 / (1 + Math.exp(-1.0)),
                model.answer("score", new Object[] {new Struct(schema).put("NUMBER", 2L).put("WORD", "red")}, 0));
        assertEquals(
                1 / (1 + Math.exp(1.0)), model.answer("score", new Object[] {Map.of("word", "never seen")}, 0));
        assertEquals("yes", model.answer("label", new Object[] {1.5, "blue"}, 0));
        assertEquals("no", model.answer("label", new Object[] {1.3, "red"}, 0), "under the threshold");
        Map<?, ?> chances = (Map<?, ?>) model.answer("chances", new Object[] {1.5, "blue"}, 0);
        assertEquals(Map.of("no", 1.0 - sure, "yes", sure), chances);
        assertThrows(PortableModel.Unsure.class, () -> model.answer("score", new Object[] {1.5, 1.0}, 0));
        assertThrows(PortableModel.Unsure.class, () -> model.answer("score", new Object[] {"1.5", "red"}, 0));
        RowFailed unknown = assertThrows(
                RowFailed.class, () -> model.answer("score", new Object[] {Map.of("colour", 1.0)}, 0));
        assertTrue(unknown.getMessage().contains("no feature colour; it has NUMBER, WORD"));
        RowFailed short_ = assertThrows(RowFailed.class, () -> model.answer("score", new Object[] {1.0}, 0));
        assertTrue(short_.getMessage().contains("takes 2 features (NUMBER, WORD), not 1"));
        PortableModel values = PortableModel.read(Toys.file(Toys.tree(1, -1.5)));
        assertThrows(RowFailed.class, () -> values.answer("label", new Object[] {1.0, 2.0}, 0));
    }
}
