package io.ksqlkit.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TreeModelTest {
    @TempDir
    Path folder;

    private static int bits(double value) {
        return Float.floatToIntBits((float) value);
    }

    /** One split: below 1 gives {@code low}, from 1 on 2.5; missing goes right. */
    private static String body(int version, double low) {
        return "{\"name\":\"toy\",\"version\":" + version + ",\"features\":[\"A\",\"B\"],\"link\":\"identity\","
                + "\"base_margin\":" + bits(0.5) + ",\"calibration\":{},\"trees\":[{\"left\":[1,-1,-1],\"right\":[2,-1,-1],"
                + "\"feature\":[1,0,0],\"value\":[" + bits(1) + "," + bits(low) + "," + bits(2.5)
                + "],\"missing_left\":[0,0,0]}],\"vectors\":{\"rows\":[[" + bits(0) + "," + bits(0) + "],[null,null]],"
                + "\"margins\":[" + bits(0.5 + low) + "," + bits(3) + "],\"values\":[" + (0.5 + low) + ",3.0]}}";
    }

    private static byte[] file(String body, String signed) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(signed.getBytes(StandardCharsets.UTF_8));
        String sha = String.format("%064x", new BigInteger(1, digest));
        return ("{\"format\":\"ksqlkit-trees-1\",\"sha256\":\"" + sha + "\"}\n" + body).getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] good(int version, double low) throws Exception {
        return file(body(version, low), body(version, low));
    }

    private static void refused(String because, byte[] file) {
        IOException said = assertThrows(IOException.class, () -> TreeModel.read(file));
        assertTrue(said.getMessage().contains(because), said.getMessage());
    }

    @Test
    void walksByThresholdAndByDefaultDirection() throws Exception {
        TreeModel model = TreeModel.read(good(1, -1.5));
        assertEquals(-1.0f, model.margin(new float[] {9, Math.nextDown(1f)}));
        assertEquals(3.0f, model.margin(new float[] {9, 1}));
        assertEquals(3.0f, model.margin(new float[] {9, Float.NaN}));
    }

    @Test
    void whatDoesNotVerifyIsRefused() throws Exception {
        refused("checksum", file(body(1, -1.5), body(1, -1.25)));
        String wrong = body(1, -1.5).replace(",3.0]", ",3.1]");
        refused("vector", file(wrong, wrong));
        String loop = body(1, -1.5).replace("\"left\":[1,", "\"left\":[0,");
        refused("child", file(loop, loop));
        refused("format", "{\"format\":\"other\"}\n{}".getBytes(StandardCharsets.UTF_8));
        refused("no model", "not json".getBytes(StandardCharsets.UTF_8));
    }

    private Functions.Score local(Path file) {
        Functions.Score score = new Functions.Score();
        Map<String, Object> properties = new HashMap<>();
        properties.put("ksql.functions.score.lane", "local");
        properties.put("ksql.functions.score.model.file", file.toString());
        score.configure(properties);
        return score;
    }

    @Test
    void answersInThisProcessAndSwapsBetweenRows() throws Exception {
        Path file = folder.resolve("toy.model");
        Files.write(file, good(1, -1.5));
        Functions.Score score = local(file);
        assertEquals(-1.0, score.of(0.0, 0.5));
        assertEquals(3.0, score.of(0.0, null));
        assertEquals(3.0, score.of(Map.of("b", 4.0)));
        assertNull(score.of(1.0), "a wrong number of features is the row's fault");
        Files.write(file, "broken".getBytes(StandardCharsets.UTF_8));
        Thread.sleep(1100);
        assertEquals(-1.0, score.of(0.0, 0.5), "a broken file changes nothing");
        Files.write(file, good(2, -2.5));
        Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis() + 5000));
        Thread.sleep(1100);
        assertEquals(-2.0, score.of(0.0, 0.5));
    }

    @Test
    void withoutAUsableFileTheServerAnswers() throws Exception {
        try (FakeServer server = new FakeServer()) {
            Functions.Score score = Functions.at(
                    server, new Functions.Score(), "score.lane", "local",
                    "score.model.file", folder.resolve("absent").toString());
            assertEquals(7.0, score.of(7.0, 8.0));
        }
        assertNull(local(folder.resolve("absent2")).of(7.0, 8.0));
    }

    @Test
    void onlyAModelsScoreCanBeLocal() {
        Map<String, Object> properties = Map.of(
                "ksql.functions.echo.lane", "local", "ksql.functions.echo.model.file", "x");
        assertThrows(IllegalArgumentException.class, () -> new Functions.Echo().configure(properties));
    }
}
