package io.ksqlkit.bridge;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The model of a file, replaced between two rows when the file is. A new file that does not verify is reported and
 * the model before it stays.
 */
final class LocalModel {
    private static final long LOOK_NS = 1_000_000_000L;
    private static final System.Logger LOG = System.getLogger("io.ksqlkit.bridge");
    private static final Map<Path, LocalModel> SHARED = new ConcurrentHashMap<>();

    private final Path path;
    private final AtomicLong nextLook = new AtomicLong();
    private volatile TreeModel model;
    private volatile String trouble;
    private FileTime seen;
    private long seenSize;

    private LocalModel(Path path) {
        this.path = path;
        look();
        nextLook.set(System.nanoTime() + LOOK_NS);
    }

    static LocalModel of(Path path) {
        return SHARED.computeIfAbsent(path.toAbsolutePath().normalize(), LocalModel::new);
    }

    /** The model now, or null when there is none that verifies. */
    TreeModel get() {
        long due = nextLook.get();
        long now = System.nanoTime();
        if (now - due >= 0 && nextLook.compareAndSet(due, now + LOOK_NS)) {
            look(); // one thread looks; the others go on with what there is
        }
        return model;
    }

    String trouble() {
        return trouble;
    }

    private synchronized void look() {
        try {
            FileTime time = Files.getLastModifiedTime(path);
            long size = Files.size(path);
            if (time.equals(seen) && size == seenSize) {
                return;
            }
            TreeModel fresh = TreeModel.read(Files.readAllBytes(path));
            seen = time;
            seenSize = size;
            model = fresh;
            trouble = null;
            LOG.log(System.Logger.Level.INFO, "model " + fresh + " read from " + path);
        } catch (IOException e) {
            String said = "the model file " + path + " cannot be used: "
                    + (e instanceof NoSuchFileException ? "it is not there" : e.getMessage());
            if (!said.equals(trouble)) {
                LOG.log(System.Logger.Level.WARNING, said);
            }
            trouble = said;
        }
    }
}
