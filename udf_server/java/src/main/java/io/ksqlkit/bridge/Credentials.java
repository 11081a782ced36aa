package io.ksqlkit.bridge;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.Objects;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

/** How to show who we are and whom to trust: a bearer token, better in a file, and a file of certificates in PEM. */
final class Credentials {
    private static final String ASK_TOKEN = " (" + Settings.GLOBAL + "scoring.token.file names it)";

    private final String token;
    private final String tokenFile;
    private final String caFile;

    Credentials(String token, String tokenFile, String caFile) {
        this.token = token;
        this.tokenFile = tokenFile;
        this.caFile = caFile;
    }

    /** The token now; the file is read anew so that a rotated token needs no restart. Null for none. */
    String token() throws IOException {
        if (!tokenFile.isEmpty()) {
            try {
                for (String line : Files.readAllLines(Path.of(tokenFile))) {
                    if (!line.isBlank() && !line.startsWith("#")) {
                        return line.trim().split("\\s+")[0];
                    }
                }
            } catch (NoSuchFileException e) {
                throw new IOException("there is no file " + tokenFile + ASK_TOKEN);
            }
            throw new IOException(tokenFile + " holds no token" + ASK_TOKEN);
        }
        return token.isEmpty() ? null : token;
    }

    SSLSocketFactory sockets() throws IOException {
        if (caFile.isEmpty()) {
            return (SSLSocketFactory) SSLSocketFactory.getDefault();
        }
        try (var in = Files.newInputStream(Path.of(caFile))) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            int number = 0;
            for (Certificate found : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                store.setCertificateEntry("ca" + number++, found);
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            return context.getSocketFactory();
        } catch (NoSuchFileException e) {
            throw new IOException("there is no file " + caFile + " (" + Settings.GLOBAL + "scoring.ca.file names it)");
        } catch (GeneralSecurityException e) {
            throw new IOException("cannot use the certificates of " + caFile + ": " + e.getMessage(), e);
        }
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Credentials)) {
            return false;
        }
        Credentials that = (Credentials) other;
        return token.equals(that.token) && tokenFile.equals(that.tokenFile) && caFile.equals(that.caFile);
    }

    @Override
    public int hashCode() {
        return Objects.hash(token, tokenFile, caFile);
    }
}
