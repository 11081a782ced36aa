/** What a ksqlDB server runs to call the scoring server's functions, or to walk their models itself. */
package io.ksqlkit.bridge;
