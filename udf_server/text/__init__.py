"""Text as vectors: the static word embedding that the `wordllama` wheel carries, and what is built on it."""
