package io.ksqlkit.bridge;

import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;

/**
 * A model of rows of features. Margins are the scoring server's to the last bit; what they become (probability, class)
 * goes through the same formulas, and may differ in the last digits where libraries' exponentials do.
 */
final class RowModel extends PortableModel {
    private static final double CLOSE = 1e-6;

    private final List<String> features;
    private final Map<String, Integer> index = new HashMap<>();
    private final List<Map<String, Integer>> categories = new java.util.ArrayList<>();
    private final char[] operators;
    private final int[] operands;
    private final Member[] members; // one, or those whose mean it is
    private final boolean values;
    private final Double threshold;
    private final double[] calibration; // slope and intercept in log-odds, or null

    RowModel(Map<?, ?> json, String sha256) {
        super(json, sha256);
        features = strings(json.get("features"));
        Map<?, ?> words = (Map<?, ?>) json.get("categories");
        for (int i = 0; i < features.size(); i++) {
            index.put(features.get(i).toUpperCase(Locale.ROOT), i);
            Map<String, Integer> places = new HashMap<>();
            for (String word : strings(words.get(features.get(i)))) {
                places.put(word, places.size());
            }
            categories.add(places);
        }
        List<?> derived = (List<?>) json.get("derived");
        operators = new char[derived.size()];
        operands = new int[derived.size() * 2];
        for (int i = 0; i < operators.length; i++) {
            List<?> formula = (List<?>) derived.get(i);
            operators[i] = ((String) formula.get(0)).charAt(0);
            operands[2 * i] = ((Long) formula.get(1)).intValue();
            operands[2 * i + 1] = ((Long) formula.get(2)).intValue();
            if (Math.max(operands[2 * i], operands[2 * i + 1]) >= features.size()) {
                throw new IllegalArgumentException("a derived feature of what is no feature");
            }
        }
        List<?> parts = json.get("blend") == null ? List.of(json) : (List<?>) json.get("blend");
        members = new Member[parts.size()];
        for (int i = 0; i < members.length; i++) {
            members[i] = new Member((Map<?, ?>) parts.get(i), features.size() + operators.length);
        }
        values = Boolean.TRUE.equals(json.get("values"));
        threshold = json.get("threshold") == null ? null : ((Number) json.get("threshold")).doubleValue();
        Map<?, ?> line = (Map<?, ?>) json.get("calibration");
        calibration = line == null || line.isEmpty()
                ? null
                : new double[] {
                    ((Number) line.get("slope")).doubleValue(), ((Number) line.get("intercept")).doubleValue()
                };
    }

    @Override
    void verify(Map<?, ?> vectors) throws IOException {
        double[] rows = doubles(vectors.get("rows"));
        double[] margins = doubles(vectors.get("margins"));
        double[] wanted = doubles(vectors.get("values"));
        int width = features.size();
        if (wanted.length == 0 || rows.length != wanted.length * width) {
            throw new IOException("no test vectors come with the model");
        }
        for (int r = 0; r < wanted.length; r++) {
            double[] found = margins(Arrays.copyOfRange(rows, r * width, (r + 1) * width));
            int outputs = found.length;
            for (int i = 0; i < outputs; i++) {
                double margin = margins[r * outputs + i];
                if (Double.doubleToLongBits(found[i]) != Double.doubleToLongBits(margin)) {
                    throw new IOException("test vector " + r + " gets the margin " + found[i] + ", not " + margin);
                }
            }
            double value = score(found);
            if (!(Math.abs(value - wanted[r]) <= CLOSE * Math.max(1, Math.abs(wanted[r])))) {
                throw new IOException("test vector " + r + " gets " + value + ", not " + wanted[r]);
            }
        }
    }

    /** The raw sums of a row of features; NaN is missing. */
    double[] margins(double[] row) {
        double[] wide = Arrays.copyOf(row, row.length + operators.length);
        for (int i = 0; i < operators.length; i++) {
            double a = row[operands[2 * i]];
            double b = row[operands[2 * i + 1]];
            wide[row.length + i] =
                    operators[i] == '*' ? a * b : operators[i] == '-' ? a - b : b == 0 ? Double.NaN : a / b;
        }
        double[] out = members[0].walker.margins(wide);
        for (int i = 1; i < members.length; i++) {
            double[] more = members[i].walker.margins(wide);
            out = Arrays.copyOf(out, out.length + more.length);
            System.arraycopy(more, 0, out, out.length - more.length, more.length);
        }
        return out;
    }

    int width() {
        return features.size();
    }

    @Override
    Object answer(String what, Object[] given, int from) {
        double[] margins = margins(row(given, from));
        if (what.equals("score")) {
            return score(margins);
        }
        if (values) {
            throw new RowFailed(RowFailed.INVALID_INPUT, "model " + name + " predicts a value, not classes");
        }
        double[] chances = chances(margins);
        if (what.equals("label")) {
            int likeliest = threshold != null && chances.length == 2
                    ? chances[1] >= threshold ? 1 : 0
                    : largest(chances);
            return classes.get(likeliest);
        }
        Map<String, Double> out = new LinkedHashMap<>();
        for (int i = 0; i < Math.min(chances.length, classes.size()); i++) {
            out.put(classes.get(i), chances[i]);
        }
        return out;
    }

    /** The number that SQL sees: the calibrated probability of the second of two classes, the likeliest's, or the value. */
    double score(double[] margins) {
        double[] outcome = outcome(margins);
        return members[0].likeliest ? largest(outcome) : calibrated(outcome[0]);
    }

    private double[] chances(double[] margins) {
        double[] outcome = outcome(margins);
        if (members[0].likeliest) {
            return outcome;
        }
        double second = calibrated(outcome[0]);
        return new double[] {1.0 - second, second};
    }

    /** The members' mean: the value or the second class's probability alone, or all classes' probabilities. */
    private double[] outcome(double[] margins) {
        double[] mean = null;
        int at = 0;
        for (Member member : members) {
            double[] one = member.outcome(Arrays.copyOfRange(margins, at, at + member.outputs));
            at += member.outputs;
            for (int i = 0; mean != null && i < mean.length; i++) {
                one[i] = mean[i] + one[i];
            }
            mean = one;
        }
        for (int i = 0; members.length > 1 && i < mean.length; i++) {
            mean[i] /= members.length;
        }
        return mean;
    }

    private static int largest(double[] given) {
        int best = 0;
        for (int i = 1; i < given.length; i++) {
            best = given[i] > given[best] ? i : best;
        }
        return best;
    }

    /** A model by itself, or a part of one. */
    private static final class Member {
        final Walker walker;
        final int outputs;
        final boolean likeliest;
        private final boolean second;
        private final boolean single;
        private final String link;

        Member(Map<?, ?> json, int width) {
            walker = Walker.of(json, width);
            outputs = doubles(json.get("base")).length;
            link = (String) json.get("link");
            single = Boolean.TRUE.equals(json.get("single"));
            likeliest = "likeliest".equals(json.get("answer"));
            second = "second".equals(json.get("answer"));
        }

        double[] outcome(double[] margins) {
            double[] linked = linked(margins);
            return likeliest ? linked : new double[] {linked[second ? 1 : 0]};
        }

        private double[] linked(double[] margins) {
            switch (link) {
                case "identity":
                    return margins;
                case "logistic":
                    double m = margins[0];
                    return new double[] {
                        single
                                ? 1.0f / ((float) Math.exp(Math.min((float) -m, 88.7f)) + 1.0f)
                                : 1.0 / (1.0 + Math.exp(-Math.min(Math.max(m, -500), 500)))
                    };
                case "exp":
                    return new double[] {(float) Math.exp((float) margins[0])};
                case "softmax":
                    return softmax(margins);
                default:
                    throw new IllegalArgumentException("the link " + link + " is not known");
            }
        }

        private double[] softmax(double[] margins) {
            double top = margins[largest(margins)];
            double[] out = new double[margins.length];
            double sum = 0;
            for (int i = 0; i < out.length; i++) {
                out[i] = single ? (float) Math.exp((float) (margins[i] - top)) : Math.exp(margins[i] - top);
                sum += out[i];
            }
            for (int i = 0; i < out.length; i++) {
                out[i] = single ? (float) out[i] / (float) sum : out[i] / sum;
            }
            return out;
        }
    }

    private double calibrated(double raw) {
        if (calibration == null) {
            return raw;
        }
        double clipped = Math.min(Math.max(raw, 1e-7), 1 - 1e-7);
        double margin = calibration[0] * Math.log(clipped / (1 - clipped)) + calibration[1];
        return 1.0 / (1.0 + Math.exp(-Math.min(Math.max(margin, -500), 500)));
    }

    /** A row of a call: the features in the model's order, or one map or struct by name. */
    private double[] row(Object[] given, int from) {
        double[] out = new double[features.size()];
        if (given.length == from + 1 && (given[from] instanceof Map || given[from] instanceof Struct)) {
            Arrays.fill(out, Double.NaN);
            if (given[from] instanceof Struct) {
                Struct struct = (Struct) given[from];
                for (Field field : struct.schema().fields()) {
                    put(out, field.name(), struct.get(field));
                }
            } else {
                ((Map<?, ?>) given[from]).forEach((key, value) -> put(out, String.valueOf(key), value));
            }
            return out;
        }
        if (given.length - from != out.length) {
            throw new RowFailed(RowFailed.INVALID_INPUT, "model " + name + " takes " + out.length + " features ("
                    + String.join(", ", features) + "), not " + (given.length - from));
        }
        for (int i = 0; i < out.length; i++) {
            out[i] = number(i, given[from + i]);
        }
        return out;
    }

    private void put(double[] row, String key, Object value) {
        Integer at = index.get(key.toUpperCase(Locale.ROOT));
        if (at == null) {
            throw new RowFailed(RowFailed.INVALID_INPUT,
                    "model " + name + " has no feature " + key + "; it has " + String.join(", ", features));
        }
        row[at] = number(at, value);
    }

    /** As over the wire: NULL, NaN and infinities are missing, and so is a word that the model never saw. */
    private double number(int feature, Object value) {
        if (value == null) {
            return Double.NaN;
        }
        Map<String, Integer> places = categories.get(feature);
        if (!places.isEmpty()) {
            if (!(value instanceof String || value instanceof Long || value instanceof Integer)) {
                throw new Unsure("feature " + features.get(feature) + " is one of words");
            }
            Integer place = places.get(value.toString());
            return place == null ? Double.NaN : place;
        }
        if (value instanceof Number) {
            double found = ((Number) value).doubleValue();
            return Double.isInfinite(found) ? Double.NaN : found;
        }
        if (value instanceof Boolean) {
            return (Boolean) value ? 1 : 0;
        }
        throw new Unsure("feature " + features.get(feature) + " is a number");
    }
}
