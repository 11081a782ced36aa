"""Short support messages from templates, each with the intent and the sentiment it was written with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from ksqlkit.datagen.transactions import START_MS

INTENTS: Final[dict[str, tuple[str, ...]]] = {
    "lost or stolen card": (
        "I lost my {card} {when}, please block it",
        "my {card} was stolen {when}",
        "I can't find my {card} anywhere, can you freeze it?",
        "someone took my wallet and my {card} is gone",
        "my {card} has gone missing since {when}",
    ),
    "refund": (
        "I returned the {item} {when} and want my money back",
        "when will I get the refund for my {item}?",
        "please refund the {amount} I paid for the {item}",
        "the shop says it gave my money back {when} but I don't see the refund",
        "how long does a refund take?",
    ),
    "login and password": (
        "I can't log in to the app since {when}",
        "my password does not work any more",
        "how do I reset my password?",
        "the app says my account is locked after I typed the wrong password",
        "I don't get the code to sign in on my {device}",
    ),
    "unknown charge": (
        "there is a charge of {amount} that I did not make",
        "I don't recognise a payment of {amount} from {when}",
        "you charged me twice for the {item}",
        "what is this {amount} charge on my statement?",
        "I was charged {amount} for something I never bought",
    ),
    "delivery": (
        "my {item} has not been delivered yet",
        "where is my parcel? I ordered the {item} {when}",
        "the {item} arrived at the wrong address",
        "can I track the shipment of my {item}?",
        "the courier left the {item} outside {when}",
    ),
    "close account": (
        "I want to close my account",
        "please cancel my subscription and delete my account",
        "how can I close the account I opened {when}?",
        "I'd like to end my contract and remove my data",
        "cancel my membership from today",
    ),
    "change address": (
        "I moved house {when}, please change my address",
        "how do I update my postal address?",
        "my new address is not shown in the app",
        "please send the letters to my new home address",
        "can I change the address on my account on my {device}?",
    ),
    "loan": (
        "I would like to borrow {amount}, what interest do you charge?",
        "can I get a loan for a {item}?",
        "how do I pay back my loan early?",
        "what is the interest rate on a loan of {amount}?",
        "is my loan application of {when} approved?",
    ),
}
TONES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "POSITIVE": (
        (
            "Hi, great service as always!",
            "Thank you for the friendly help so far.",
            "I love the new app,",
            "Hello,",
        ),
        (
            "You are wonderful, thanks!",
            "I am very happy with you.",
            "Great support, thank you so much!",
            "Excellent team!",
        ),
    ),
    "NEUTRAL": (("Hello,", "Hi,", "Good morning,", "", ""), ("", "", "Regards", "Please let me know.")),
    "NEGATIVE": (
        ("This is ridiculous.", "I am really angry.", "Terrible service!", "Hello,", "I am so disappointed,"),
        (
            "This is unacceptable!",
            "Worst bank ever.",
            "I am fed up with this mess.",
            "Nobody helps me, awful.",
        ),
    ),
}
_TONE_WEIGHTS: Final = (0.2, 0.5, 0.3)
_FILL: Final[dict[str, tuple[str, ...]]] = {
    "card": ("card", "debit card", "credit card", "bank card"),
    "when": ("yesterday", "last week", "on Monday", "this morning", "two days ago", "on Friday"),
    "item": ("laptop", "phone", "jacket", "bike", "camera", "washing machine", "pair of shoes", "sofa"),
    "device": ("phone", "tablet", "laptop"),
}


def messages(rows: int = 3000, *, seed: int = 7, start_ms: int = START_MS) -> Iterator[dict[str, Any]]:
    """Yield `rows` messages by ascending time: MESSAGE_ID (from 1), SENT_AT (ms), CUSTOMER_ID, BODY, INTENT
    (one of INTENTS) and SENTIMENT (POSITIVE, NEUTRAL or NEGATIVE). Raises ValueError for a negative
    number."""
    if rows < 0:
        raise ValueError(f"the number of rows must not be negative, not {rows}")
    rng = random.Random(f"messages {seed}")
    intents, tones = list(INTENTS), list(TONES)
    at = start_ms
    for number in range(1, rows + 1):
        at += rng.randrange(1_000, 120_000)
        intent = rng.choice(intents)
        tone = rng.choices(tones, _TONE_WEIGHTS)[0]
        openings, closings = TONES[tone]
        fill = {name: rng.choice(values) for name, values in _FILL.items()}
        fill["amount"] = f"{rng.choice('$€£')}{rng.randrange(5, 900)}"
        text = rng.choice(INTENTS[intent]).format_map(fill)
        parts = (
            rng.choice(openings),
            text if rng.random() < 0.5 else text[0].upper() + text[1:],
            rng.choice(closings),
        )
        body = " ".join(p if p[-1] in ".!?," else p + "." for p in parts if p)
        yield {
            "MESSAGE_ID": number,
            "SENT_AT": at,
            "CUSTOMER_ID": rng.randrange(1, 2001),
            "BODY": body,
            "INTENT": intent,
            "SENTIMENT": tone,
        }
