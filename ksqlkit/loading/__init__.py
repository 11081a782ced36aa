"""Files of rows into topics, in the format that the streams over the topic declare."""
