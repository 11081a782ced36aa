"""A function of your own: saved here, it is in the scoring server within a second, and in ksqlDB with the next jar."""

from udf_server import function


@function("HASHTAGS(text VARCHAR) -> ARRAY<VARCHAR>")
def hashtags(texts):
    """The hashtags of a text, in lower case."""
    return [[word.lower() for word in text.split() if word.startswith("#")] for text in texts]
