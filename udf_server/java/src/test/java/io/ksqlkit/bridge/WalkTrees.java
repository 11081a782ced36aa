package io.ksqlkit.bridge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Walks a model over rows and compares with XGBoost's margins, both as little-endian float32 files, bit for bit.
 *
 * <p>Usage: WalkTrees MODEL ROWS MARGINS; prints rows, differences and rows a second.
 */
public final class WalkTrees {
    private WalkTrees() {}

    /** See the class. */
    public static void main(String[] args) throws Exception {
        TreeModel model = TreeModel.read(Files.readAllBytes(Path.of(args[0])));
        ByteBuffer rows = ByteBuffer.wrap(Files.readAllBytes(Path.of(args[1]))).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer wanted = ByteBuffer.wrap(Files.readAllBytes(Path.of(args[2]))).order(ByteOrder.LITTLE_ENDIAN);
        int count = wanted.remaining() / 4;
        float[][] matrix = new float[count][model.features.size()];
        for (float[] row : matrix) {
            rows.asFloatBuffer().get(row);
            rows.position(rows.position() + row.length * 4);
        }
        int different = 0;
        for (int i = 0; i < count; i++) {
            different += Float.floatToRawIntBits(model.margin(matrix[i])) == wanted.getInt() ? 0 : 1;
        }
        long started = System.nanoTime();
        double sum = 0;
        for (float[] row : matrix) {
            sum += model.value(model.margin(row));
        }
        System.out.println(count + " " + different + " " + (long) (count * 1e9 / (System.nanoTime() - started)) + " " + sum);
    }
}
