"""Commits numbered batches to a durable log until it is killed: `python kill_writer.py FILE SEED`.

Batch n has n % 7 + 1 records that say n, moves the position to n and sets the state of two keys to n. After each
commit, n is printed.
"""

from __future__ import annotations

import random
import sys

from ksqlkit.engine.log import Commit, Output, SqliteLog, TopicInfo


def main(path: str, seed: int) -> None:
    """Go on from what the log says was last committed."""
    log = SqliteLog(path)
    log.create_topic(TopicInfo("t", 2, 1, (("cleanup.policy", "delete"), ("retention.bytes", "2000000"))))
    chance = random.Random(seed)
    n = log.positions("q").get(("t", 0), 0)
    print(f"at {n}", flush=True)
    while True:
        n += 1
        text = b"%d" % n
        outputs = [Output("t", i % 2, n, text, text * chance.randrange(1, 400)) for i in range(n % 7 + 1)]
        state: dict[bytes, bytes | None] = {b"last": text, b"k%d" % (n % 50): text}
        log.commit(Commit(outputs, {("q", "t", 0): n}, {"q/s": state}, {"m": text}))
        print(n, flush=True)
        if chance.random() < 0.02:
            log.maintain(n)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
