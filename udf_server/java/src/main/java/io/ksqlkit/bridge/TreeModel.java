package io.ksqlkit.bridge;

import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Boosted trees in the portable form that {@code ksqlkit bridge model} writes: one line of JSON with the format and
 * the SHA-256 of what follows, then the model as JSON with rows and the answers they must get. A model whose checksum
 * or answers differ is not taken.
 *
 * <p>Margins are those of XGBoost to the last bit: float32 comparisons, missing values by each split's default
 * direction, and float32 leaves added in order to the base margin.
 */
final class TreeModel {
    static final String FORMAT = "ksqlkit-trees-1";
    private static final int STRIDE = 4;
    private static final double CLOSE = 1e-6;

    final String name;
    final int version;
    final List<String> features;
    private final Map<String, Integer> index = new HashMap<>();
    private final float baseMargin;
    private final boolean logistic;
    private final double[] calibration; // slope and intercept in log-odds, or null
    private final int[] roots;
    /**
     * Four numbers a node, side by side in memory: twice the feature plus 1 if missing goes left (-1 at a leaf), the
     * bits of the threshold or answer, and the places of the children.
     */
    private final int[] nodes;

    @SuppressWarnings("unchecked")
    private TreeModel(Map<?, ?> json) {
        name = (String) json.get("name");
        version = ((Long) json.get("version")).intValue();
        features = List.copyOf((List<String>) json.get("features"));
        for (int i = 0; i < features.size(); i++) {
            index.put(features.get(i).toUpperCase(Locale.ROOT), i);
        }
        logistic = "logistic".equals(json.get("link"));
        baseMargin = real(json.get("base_margin"));
        Map<?, ?> line = (Map<?, ?>) json.get("calibration");
        calibration = line == null || line.isEmpty()
                ? null
                : new double[] {
                    ((Number) line.get("slope")).doubleValue(), ((Number) line.get("intercept")).doubleValue()
                };
        List<Map<?, ?>> trees = (List<Map<?, ?>>) json.get("trees");
        int count = 0;
        for (Map<?, ?> tree : trees) {
            count += ((List<?>) tree.get("left")).size();
        }
        roots = new int[trees.size()];
        nodes = new int[count * STRIDE];
        int at = 0;
        for (int t = 0; t < roots.length; t++) {
            roots[t] = at;
            at = add(trees.get(t), at);
        }
    }

    private int add(Map<?, ?> tree, int start) {
        List<?> lefts = (List<?>) tree.get("left");
        for (int i = 0; i < lefts.size(); i++) {
            int at = start + i * STRIDE;
            nodes[at + 1] = ((Long) ((List<?>) tree.get("value")).get(i)).intValue();
            nodes[at + 2] = child(lefts.get(i), start, i, lefts.size());
            nodes[at + 3] = child(((List<?>) tree.get("right")).get(i), start, i, lefts.size());
            if (nodes[at + 2] < 0 != nodes[at + 3] < 0) {
                throw new IllegalArgumentException("node " + i + " has one child");
            }
            int feature = ((Long) ((List<?>) tree.get("feature")).get(i)).intValue();
            if (nodes[at + 2] >= 0 && (feature < 0 || feature >= features.size())) {
                throw new IllegalArgumentException("a split on feature " + feature + " of " + features.size());
            }
            long missingLeft = (Long) ((List<?>) tree.get("missing_left")).get(i) != 0 ? 1 : 0;
            nodes[at] = nodes[at + 2] < 0 ? -1 : feature * 2 + (int) missingLeft;
        }
        return start + lefts.size() * STRIDE;
    }

    /** A child's place; it must come after its parent, so that every walk ends. */
    private static int child(Object number, int start, int parent, int size) {
        int found = ((Long) number).intValue();
        if (found >= size || found >= 0 && found <= parent) {
            throw new IllegalArgumentException("node " + parent + " has the impossible child " + found);
        }
        return found < 0 ? -1 : start + found * STRIDE;
    }

    /** A float32, written by its bits: decimal text would do too, but bits leave no doubt. */
    private static float real(Object bits) {
        return Float.intBitsToFloat(((Long) bits).intValue());
    }

    /** Reads and verifies; throws IOException that says what is wrong. */
    static TreeModel read(byte[] file) throws IOException {
        int end = 0;
        while (end < file.length && file[end] != '\n') {
            end++;
        }
        try {
            Map<?, ?> header = (Map<?, ?>) Json.parse(Arrays.copyOf(file, end));
            if (!FORMAT.equals(header.get("format"))) {
                throw new IOException("the format is " + header.get("format") + ", not " + FORMAT);
            }
            byte[] body = Arrays.copyOfRange(file, Math.min(file.length, end + 1), file.length);
            String found = hex(MessageDigest.getInstance("SHA-256").digest(body));
            if (!found.equals(header.get("sha256"))) {
                throw new IOException("the checksum is " + found + ", not " + header.get("sha256"));
            }
            Map<?, ?> json = (Map<?, ?>) Json.parse(body);
            TreeModel model = new TreeModel(json);
            model.verify((Map<?, ?>) json.get("vectors"));
            return model;
        } catch (ClassCastException | NullPointerException | IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new IOException("it is no model: " + e.getMessage(), e);
        } catch (NoSuchAlgorithmException e) {
            throw new IOException(e);
        }
    }

    private void verify(Map<?, ?> vectors) throws IOException {
        List<?> rows = (List<?>) vectors.get("rows");
        if (rows.isEmpty()) {
            throw new IOException("no test vectors come with the model");
        }
        for (int r = 0; r < rows.size(); r++) {
            List<?> row = (List<?>) rows.get(r);
            float[] x = new float[features.size()];
            for (int i = 0; i < x.length; i++) {
                x[i] = row.get(i) == null ? Float.NaN : real(row.get(i));
            }
            int margin = Float.floatToIntBits(margin(x));
            if (margin != ((Long) ((List<?>) vectors.get("margins")).get(r)).intValue()) {
                throw new IOException("test vector " + r + " gets another margin than from XGBoost");
            }
            double wanted = ((Number) ((List<?>) vectors.get("values")).get(r)).doubleValue();
            if (!(Math.abs(value(margin(x)) - wanted) <= CLOSE)) {
                throw new IOException("test vector " + r + " gets " + value(margin(x)) + ", not " + wanted);
            }
        }
    }

    private static String hex(byte[] digest) {
        StringBuilder out = new StringBuilder();
        for (byte b : digest) {
            out.append(String.format("%02x", b));
        }
        return out.toString();
    }

    /** The raw sum of a row; NaN is missing. */
    float margin(float[] row) {
        float sum = baseMargin;
        for (int root : roots) {
            int node = root;
            for (int split = nodes[node]; split >= 0; split = nodes[node]) {
                float x = row[split >> 1];
                boolean left = x != x ? (split & 1) != 0 : x < Float.intBitsToFloat(nodes[node + 1]);
                node = nodes[left ? node + 2 : node + 3];
            }
            sum += Float.intBitsToFloat(nodes[node + 1]);
        }
        return sum;
    }

    /** What SQL sees of a margin: through the link, calibrated as in the server. */
    double value(float margin) {
        if (!logistic) {
            return margin;
        }
        double raw = 1.0f / ((float) Math.exp(Math.min(-margin, 88.7f)) + 1.0f);
        if (calibration == null) {
            return raw;
        }
        double clipped = Math.min(Math.max(raw, 1e-7), 1 - 1e-7);
        return 1.0 / (1.0 + Math.exp(-(calibration[0] * Math.log(clipped / (1 - clipped)) + calibration[1])));
    }

    /** The row of a call: the features in the model's order, or one map by name. Throws RowFailed. */
    float[] row(Object[] arguments) {
        float[] out = new float[features.size()];
        if (arguments.length == 1 && arguments[0] instanceof Map) {
            Arrays.fill(out, Float.NaN);
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) arguments[0]).entrySet()) {
                Integer at = index.get(String.valueOf(entry.getKey()).toUpperCase(Locale.ROOT));
                if (at == null) {
                    throw new RowFailed(RowFailed.INVALID_INPUT, "model " + name + " has no feature "
                            + entry.getKey() + "; it has " + String.join(", ", features));
                }
                out[at] = narrow(entry.getValue());
            }
            return out;
        }
        if (arguments.length != out.length) {
            throw new RowFailed(RowFailed.INVALID_INPUT, "model " + name + " takes " + out.length + " features ("
                    + String.join(", ", features) + "), not " + arguments.length);
        }
        for (int i = 0; i < out.length; i++) {
            out[i] = narrow(arguments[i]);
        }
        return out;
    }

    /** As over the wire: NULL, NaN and infinities are missing. */
    private static float narrow(Object number) {
        double found = number == null ? Double.NaN : ((Number) number).doubleValue();
        return Double.isInfinite(found) ? Float.NaN : (float) found;
    }

    @Override
    public String toString() {
        return name + " version " + version;
    }

}
