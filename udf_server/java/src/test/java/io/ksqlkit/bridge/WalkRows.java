package io.ksqlkit.bridge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Walks a model over rows and compares with its library's margins, both as files of little-endian float64, bit for bit.
 *
 * <p>Usage: WalkRows MODEL ROWS MARGINS; prints rows, differences and rows a second of the processor.
 */
public final class WalkRows {
    private WalkRows() {}

    /** See the class. */
    public static void main(String[] args) throws Exception {
        RowModel model = (RowModel) PortableModel.read(Files.readAllBytes(Path.of(args[0])));
        DoubleBuffer rows = doubles(args[1]);
        DoubleBuffer wanted = doubles(args[2]);
        int count = rows.remaining() / model.width();
        double[][] matrix = new double[count][model.width()];
        for (double[] row : matrix) {
            rows.get(row);
        }
        int different = 0;
        for (double[] row : matrix) {
            boolean equal = true;
            for (double margin : model.margins(row)) {
                equal &= Double.doubleToRawLongBits(margin) == Double.doubleToRawLongBits(wanted.get());
            }
            different += equal ? 0 : 1;
        }
        java.lang.management.ThreadMXBean clock = java.lang.management.ManagementFactory.getThreadMXBean();
        long started = clock.getCurrentThreadCpuTime();
        double sum = 0;
        for (double[] row : matrix) {
            sum += model.score(model.margins(row));
        }
        double took = (clock.getCurrentThreadCpuTime() - started) / 1e9;
        System.out.println(count + " " + different + " " + (long) (count / took) + " " + sum);
    }

    private static DoubleBuffer doubles(String file) throws Exception {
        return ByteBuffer.wrap(Files.readAllBytes(Path.of(file))).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer();
    }
}
