package io.ksqlkit.bridge;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;

/** The model of a file, which whoever writes a new one replaces: no server is needed. */
final class FileModels extends ModelSource {
    private static final long LOOK_MS = 1_000;

    private final Path path;
    private FileTime seen;
    private long seenSize;

    private FileModels(Path path, String name, String sha256) {
        super(name, path.toString(), sha256, LOOK_MS, LOOK_MS);
        this.path = path;
    }

    /** {@code path} is the model's file, or a folder in which it is {@code <name>.model}. */
    static ModelSource of(Path path, String name, String sha256) {
        Path file = Files.isDirectory(path) ? path.resolve(name + ".model") : path;
        Path whole = file.toAbsolutePath().normalize();
        return shared(java.util.List.of(whole, name, sha256), true, k -> new FileModels(whole, name, sha256));
    }

    @Override
    Form fetch(PortableModel known) throws IOException {
        try {
            FileTime time = Files.getLastModifiedTime(path);
            long size = Files.size(path);
            if (time.equals(seen) && size == seenSize) {
                return null;
            }
            byte[] bytes = Files.readAllBytes(path);
            seen = time;
            seenSize = size;
            return new Form(bytes, "");
        } catch (NoSuchFileException e) {
            seen = null;
            throw new IOException("it is not there");
        }
    }

    @Override
    Form fetch(int version) throws IOException {
        try {
            return new Form(Files.readAllBytes(path), "");
        } catch (NoSuchFileException e) {
            throw new IOException("it is not there");
        }
    }
}
