package io.ksqlkit.bridge;

import java.util.Map;

/**
 * Adds up a row's margins exactly as the model's library does in the scoring server: in its order and its precision.
 */
interface Walker {
    /** The margins of a row, NaN for missing. */
    double[] margins(double[] row);

    /** The walker of a model; throws IllegalArgumentException where its arrays do not fit each other. */
    static Walker of(Map<?, ?> json, int width) {
        double[] base = PortableModel.doubles(json.get("base"));
        if (json.get("line") != null) {
            return new Line((Map<?, ?>) json.get("line"), base[0], width);
        }
        Map<?, ?> trees = (Map<?, ?>) json.get("trees");
        if (Boolean.TRUE.equals(json.get("single"))) {
            return new SingleTrees(trees, base, width);
        }
        return new DoubleTrees(trees, base, ((Long) json.get("divide")).intValue(), width);
    }

    /**
     * XGBoost's trees: float32 features below float32 thresholds go left, missing ones where the split says, and
     * float32 leaves are added in order to the base margin.
     */
    final class SingleTrees implements Walker {
        private static final int STRIDE = 4;
        private static final int ABREAST = 4;
        private final float[] base;
        private final int[] roots;
        private final int[] depths;
        private final int[] outputs;
        /**
         * Four numbers a node, side by side in memory: twice the feature plus 1 if missing goes left, the bits of the
         * threshold, the place of the left child (the right one follows it), and the bits of a leaf's answer. A leaf is
         * its own left child, of a feature that always goes left, so that trees of any shape can be walked abreast:
         * that keeps the processor busy while one waits for memory.
         */
        private final int[] nodes;

        SingleTrees(Map<?, ?> json, double[] base, int width) {
            this.base = new float[base.length];
            for (int i = 0; i < base.length; i++) {
                this.base[i] = (float) base[i];
            }
            int[] left = PortableModel.ints(json.get("left"));
            int[] right = PortableModel.ints(json.get("right"));
            int[] feature = PortableModel.ints(json.get("feature"));
            int[] missing = PortableModel.ints(json.get("missing_left"));
            float[] value = PortableModel.floats(json.get("value"));
            check(left, right, feature, width);
            nodes = new int[left.length * STRIDE];
            int[] height = new int[left.length];
            for (int i = left.length - 1; i >= 0; i--) {
                height[i] = left[i] < 0 ? 0 : 1 + Math.max(height[left[i]], height[right[i]]);
            }
            roots = places(json.get("roots"), left.length);
            outputs = PortableModel.ints(json.get("outputs"));
            depths = new int[roots.length];
            int next = 0; // where the next two siblings go
            int[] place = new int[left.length];
            int[] order = new int[left.length];
            for (int i = 0; i < roots.length; i++) {
                if (outputs[i] < 0 || outputs[i] >= base.length) {
                    throw new IllegalArgumentException("a tree of output " + outputs[i] + " of " + base.length);
                }
                depths[i] = height[roots[i]];
                int first = next;
                order[next] = roots[i];
                place[roots[i]] = next++;
                for (int at = first; at < next; at++) {
                    int node = order[at];
                    if (left[node] >= 0) {
                        order[next] = left[node];
                        place[left[node]] = next++;
                        order[next] = right[node];
                        place[right[node]] = next++;
                    }
                    boolean leaf = left[node] < 0;
                    nodes[at * STRIDE] = leaf ? width * 2 : feature[node] * 2 + (missing[node] != 0 ? 1 : 0);
                    nodes[at * STRIDE + 1] = leaf ? 0 : Float.floatToRawIntBits(value[node]);
                    nodes[at * STRIDE + 2] = (leaf ? at : place[left[node]]) * STRIDE;
                    nodes[at * STRIDE + 3] = Float.floatToRawIntBits(value[node]);
                }
                roots[i] = first * STRIDE;
            }
        }

        @Override
        public double[] margins(double[] row) {
            // Each feature twice: a missing one goes right by the first, left by the second.
            float[] x = new float[row.length * 2 + 1];
            for (int i = 0; i < row.length; i++) {
                float value = (float) row[i];
                x[2 * i] = value != value ? Float.POSITIVE_INFINITY : value;
                x[2 * i + 1] = value != value ? Float.NEGATIVE_INFINITY : value;
            }
            x[row.length * 2] = -1; // of leaves
            if (base.length == 1) {
                return new double[] {one(x)};
            }
            float[] sums = base.clone();
            for (int t = 0; t < roots.length; t++) {
                sums[outputs[t]] += leaf(x, t);
            }
            double[] out = new double[sums.length];
            for (int i = 0; i < out.length; i++) {
                out[i] = sums[i];
            }
            return out;
        }

        private float one(float[] x) {
            float sum = base[0];
            int t = 0;
            for (; t + ABREAST <= roots.length; t += ABREAST) {
                int a = roots[t];
                int b = roots[t + 1];
                int c = roots[t + 2];
                int d = roots[t + 3];
                int depth = Math.max(Math.max(depths[t], depths[t + 1]), Math.max(depths[t + 2], depths[t + 3]));
                for (int i = 0; i < depth; i++) {
                    a = step(x, a);
                    b = step(x, b);
                    c = step(x, c);
                    d = step(x, d);
                }
                sum += Float.intBitsToFloat(nodes[a + 3]); // in order: a sum of floats depends on it
                sum += Float.intBitsToFloat(nodes[b + 3]);
                sum += Float.intBitsToFloat(nodes[c + 3]);
                sum += Float.intBitsToFloat(nodes[d + 3]);
            }
            for (; t < roots.length; t++) {
                sum += leaf(x, t);
            }
            return sum;
        }

        private float leaf(float[] row, int tree) {
            int node = roots[tree];
            for (int i = depths[tree]; i > 0; i--) {
                node = step(row, node);
            }
            return Float.intBitsToFloat(nodes[node + 3]);
        }

        private int step(float[] x, int node) {
            return nodes[node + 2] + (x[nodes[node]] < Float.intBitsToFloat(nodes[node + 1]) ? 0 : STRIDE);
        }
    }

    /**
     * scikit-learn's trees: float32 features up to float64 thresholds go left, and each leaf's float64 answers, one per
     * output, are added in order; a forest's sum is divided by its trees.
     */
    final class DoubleTrees implements Walker {
        private final double[] base;
        private final int divide;
        private final int[] roots;
        private final int[] left;
        private final int[] right;
        private final int[] feature;
        private final boolean[] missingLeft;
        private final double[] threshold;
        private final double[] leaf;

        DoubleTrees(Map<?, ?> json, double[] base, int divide, int width) {
            this.base = base;
            this.divide = divide;
            left = PortableModel.ints(json.get("left"));
            right = PortableModel.ints(json.get("right"));
            feature = PortableModel.ints(json.get("feature"));
            threshold = PortableModel.doubles(json.get("threshold"));
            leaf = PortableModel.doubles(json.get("leaf"));
            check(left, right, feature, width);
            int[] missing = PortableModel.ints(json.get("missing_left"));
            missingLeft = new boolean[left.length];
            for (int i = 0; i < missingLeft.length; i++) {
                missingLeft[i] = missing[i] != 0;
            }
            roots = places(json.get("roots"), left.length);
            if (threshold.length != left.length || leaf.length != left.length * base.length || divide < 1) {
                throw new IllegalArgumentException("its trees' arrays do not fit each other");
            }
        }

        @Override
        public double[] margins(double[] row) {
            double[] sums = base.clone();
            for (int root : roots) {
                int node = root;
                while (left[node] >= 0) {
                    double x = row[feature[node]];
                    boolean goes = x != x ? missingLeft[node] : (float) x <= threshold[node];
                    node = goes ? left[node] : right[node];
                }
                for (int i = 0, at = node * sums.length; i < sums.length; i++, at++) {
                    sums[i] += leaf[at];
                }
            }
            for (int i = 0; i < sums.length && divide != 1; i++) {
                sums[i] /= divide;
            }
            return sums;
        }
    }

    /** A line: weight times distance from the mean, added in the features' order, then the intercept. */
    final class Line implements Walker {
        private final double[] weights;
        private final double[] means;
        private final double intercept;

        Line(Map<?, ?> json, double intercept, int width) {
            weights = PortableModel.doubles(json.get("weights"));
            means = PortableModel.doubles(json.get("means"));
            this.intercept = intercept;
            if (weights.length != width || means.length != width) {
                throw new IllegalArgumentException(weights.length + " weights for " + width + " features");
            }
        }

        @Override
        public double[] margins(double[] row) {
            double sum = 0;
            for (int i = 0; i < weights.length; i++) {
                double distance = row[i] - means[i];
                sum += distance != distance ? 0.0 * weights[i] : distance * weights[i];
            }
            return new double[] {sum + intercept};
        }
    }

    private static int[] places(Object json, int nodes) {
        int[] found = PortableModel.ints(json);
        for (int place : found) {
            if (place < 0 || place >= nodes) {
                throw new IllegalArgumentException("a tree starts at node " + place + " of " + nodes);
            }
        }
        return found;
    }

    /** Children come after their parents, so that every walk ends. */
    private static void check(int[] left, int[] right, int[] feature, int width) {
        for (int i = 0; i < left.length; i++) {
            boolean inner = left[i] >= 0;
            boolean sound = inner
                    ? left[i] > i && left[i] < left.length && right[i] > i && right[i] < left.length
                    : right[i] < 0;
            if (!sound) {
                throw new IllegalArgumentException(
                        "node " + i + " has the impossible children " + left[i] + " and " + right[i]);
            }
            if (inner && (feature[i] < 0 || feature[i] >= width)) {
                throw new IllegalArgumentException("a split on feature " + feature[i] + " of " + width);
            }
        }
    }
}
