package io.ksqlkit.bridge;

import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A text classifier of character n-grams: how often each comes, damped and weighted by its rarity, at unit length,
 * times weights. All in float32 and in the order of the scoring server's library, so that votes are equal to the bit.
 */
final class TextModel extends PortableModel {
    private static final double CLOSE = 1e-6;
    private static final int BLOCK = 128;

    private final int low;
    private final int high;
    private final int longest;
    private final int lastLetter;
    private final Map<String, Integer> vocabulary = new HashMap<>();
    private final float[] rarity;
    private final float[] damped;
    private final float[] weights;
    private final float[] intercept;
    private final float share;
    private final float[] lean;

    TextModel(Map<?, ?> json, String sha256) {
        super(json, sha256);
        Map<?, ?> text = (Map<?, ?>) json.get("text");
        low = ((Long) text.get("low")).intValue();
        high = ((Long) text.get("high")).intValue();
        longest = ((Long) text.get("longest")).intValue();
        lastLetter = ((Long) text.get("last_letter")).intValue();
        for (Object gram : (List<?>) text.get("vocabulary")) {
            vocabulary.put((String) gram, vocabulary.size());
        }
        rarity = floats(text.get("rarity"));
        damped = floats(text.get("damped"));
        weights = floats(text.get("weights"));
        intercept = floats(text.get("intercept"));
        share = floats(text.get("share"))[0];
        lean = floats(text.get("lean"));
        int outputs = classes.size();
        if (rarity.length != vocabulary.size() || weights.length != rarity.length * outputs
                || intercept.length != outputs || lean.length != outputs) {
            throw new IllegalArgumentException("its n-grams and weights do not fit each other");
        }
    }

    @Override
    void verify(Map<?, ?> vectors) throws IOException {
        List<String> texts = strings(vectors.get("texts"));
        double[] margins = doubles(vectors.get("margins"));
        double[] wanted = doubles(vectors.get("values"));
        int outputs = classes.size();
        if (texts.isEmpty() || margins.length != texts.size() * outputs) {
            throw new IOException("no test vectors come with the model");
        }
        for (int t = 0; t < texts.size(); t++) {
            float[] votes;
            try {
                votes = votes(texts.get(t));
            } catch (Unsure e) {
                continue; // a row that the server would answer
            }
            float[] chances = chances(votes);
            for (int i = 0; i < outputs; i++) {
                if (votes[i] != margins[t * outputs + i]) {
                    throw new IOException(
                            "test vector " + t + " gets the margin " + votes[i] + ", not " + margins[t * outputs + i]);
                }
                if (!(Math.abs(chances[i] - wanted[t * outputs + i]) <= CLOSE)) {
                    throw new IOException(
                            "test vector " + t + " gets " + chances[i] + ", not " + wanted[t * outputs + i]);
                }
            }
        }
    }

    @Override
    Object answer(String what, Object[] given, int from) {
        if (what.equals("score")) {
            throw new RowFailed(RowFailed.INVALID_INPUT, "model '" + name + "' reads text: use CLASSIFY('" + name
                    + "', text)");
        }
        if (given.length != from + 1 || !(given[from] instanceof String)) {
            throw new Unsure("model " + name + " reads one text");
        }
        float[] chances = chances(votes((String) given[from]));
        if (what.equals("label")) {
            int best = 0;
            for (int i = 1; i < chances.length; i++) {
                best = chances[i] > chances[best] ? i : best;
            }
            return classes.get(best);
        }
        Map<String, Double> out = new LinkedHashMap<>();
        for (int i = 0; i < chances.length; i++) {
            out.put(classes.get(i), (double) chances[i]);
        }
        return out;
    }

    /** What each class gets, before it becomes a probability. Throws Unsure for a text that Java might read otherwise. */
    float[] votes(String whole) {
        int cut = Math.min(whole.length(), longest);
        for (int i = 0; i < cut; i++) {
            if (whole.charAt(i) > lastLetter) {
                throw new Unsure("the text has letters that only the scoring server reads");
            }
        }
        Map<Integer, Integer> counts = counts(whole.substring(0, cut).toLowerCase(Locale.ROOT));
        int[] columns = new int[counts.size()];
        float[] values = new float[columns.length];
        double squares = 0;
        int at = 0;
        for (Map.Entry<Integer, Integer> entry : counts.entrySet()) {
            if (entry.getValue() > damped.length) {
                throw new Unsure("the text repeats itself more often than the model was told of");
            }
            columns[at] = entry.getKey();
            values[at] = damped[entry.getValue() - 1] * rarity[columns[at]];
            squares += (double) (values[at] * values[at]);
            at++;
        }
        double length = Math.sqrt(Math.max(squares, 1e-24));
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (values[i] / length);
        }
        float[] out = new float[classes.size()];
        float[] products = new float[columns.length];
        for (int k = 0; k < out.length; k++) {
            for (int i = 0; i < columns.length; i++) {
                products[i] = weights[columns[i] * out.length + k] * values[i];
            }
            float sum = products.length == 0 ? 0 : products.length == 1
                    ? products[0]
                    : products[0] + pairwise(products, 1, products.length - 1);
            out[k] = share * (intercept[k] + sum) + lean[k];
        }
        return out;
    }

    /** How often each known n-gram comes, in the order in which they come first: all short ones, then longer ones. */
    private Map<Integer, Integer> counts(String text) {
        Map<Integer, Integer> counts = new LinkedHashMap<>();
        for (int size = low; size <= Math.min(high, text.length()); size++) {
            for (int start = 0; start + size <= text.length(); start++) {
                Integer column = vocabulary.get(text.substring(start, start + size));
                if (column != null) {
                    counts.merge(column, 1, Integer::sum);
                }
            }
        }
        return counts;
    }

    /** A sum as numpy adds: in eights up to 128, in halves beyond. */
    private static float pairwise(float[] a, int from, int count) {
        if (count < 8) {
            float sum = -0.0f;
            for (int i = 0; i < count; i++) {
                sum += a[from + i];
            }
            return sum;
        }
        if (count > BLOCK) {
            int half = count / 2;
            half -= half % 8;
            return pairwise(a, from, half) + pairwise(a, from + half, count - half);
        }
        float[] r = Arrays.copyOfRange(a, from, from + 8);
        int i = 8;
        for (; i < count - count % 8; i += 8) {
            for (int k = 0; k < 8; k++) {
                r[k] += a[from + i + k];
            }
        }
        float sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        for (; i < count; i++) {
            sum += a[from + i];
        }
        return sum;
    }

    private static float[] chances(float[] votes) {
        float top = votes[0];
        for (float vote : votes) {
            top = Math.max(top, vote);
        }
        float sum = 0;
        for (float vote : votes) {
            sum += (float) Math.exp(vote - top);
        }
        float log = (float) Math.log(sum);
        float[] out = new float[votes.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) Math.exp(votes[i] - top - log);
        }
        return out;
    }
}
