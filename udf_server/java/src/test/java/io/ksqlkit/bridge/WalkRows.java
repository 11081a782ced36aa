package io.ksqlkit.bridge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Walks a model over rows and compares with its library's margins, both as files of little-endian float64, bit for bit.
 * The rows of a text model are a JSON list.
 *
 * <p>Usage: WalkRows MODEL ROWS MARGINS; prints rows, differences and rows a second of the processor.
 */
public final class WalkRows {
    private WalkRows() {}

    /** See the class. */
    public static void main(String[] args) throws Exception {
        PortableModel read = PortableModel.read(Files.readAllBytes(Path.of(args[0])));
        if (read instanceof TextModel) {
            texts((TextModel) read, (List<?>) Json.parse(Files.readAllBytes(Path.of(args[1]))), doubles(args[2]));
            return;
        }
        RowModel model = (RowModel) read;
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

    /** As for rows; prints as a third number the texts that are left to the server. */
    private static void texts(TextModel model, List<?> texts, DoubleBuffer wanted) {
        int different = 0;
        int left = 0;
        for (Object text : texts) {
            float[] votes = null;
            try {
                votes = model.votes((String) text);
            } catch (PortableModel.Unsure e) {
                left++;
            }
            boolean equal = true;
            for (int i = 0; i < model.classes.size(); i++) {
                double margin = wanted.get();
                equal &= votes == null || votes[i] == margin;
            }
            different += equal ? 0 : 1;
        }
        System.out.println(texts.size() + " " + different + " " + left);
    }

    private static DoubleBuffer doubles(String file) throws Exception {
        return ByteBuffer.wrap(Files.readAllBytes(Path.of(file))).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer();
    }
}
