"""From text to terms: what counts as the same word in a brief and in an agent."""

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import Stemmer

__all__ = [
    "WORD",
    "Word",
    "hash_of_term",
    "hashed_terms",
    "says_something",
    "spelled_out",
    "terms_of",
    "terms_of_word",
    "word_counts",
    "words_of",
]

# A word may hold what makes names of technologies: "c++", "c#", "node.js", "ci/cd" stay together
# and are also taken apart. The joined form ("nodejs") is how others write the same name.
APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
# What has more letters or parts than any word is taken apart, so that no text makes words of kilobytes.
WORD = re.compile(rf"[^\W_]{{1,48}}(?:[.'{APOSTROPHE}/_-][^\W_]{{1,48}}){{0,5}}(?:\+\+|\#)?")
CACHED_CHARACTERS = 32
PARTS = re.compile(r"[^\W_]+(?:\+\+|\#)?")
# A name that is made of another's and has nothing to do with it.
NO_COMPOUND = "javascript"
MIN_CAMEL_PART = 3  # Shorter ones ("g" of "gRPC") match everything.
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Where an identifier is taken apart to be read as words: "getHTTPStatus", "k8s-operator", "send_mail".
SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\s_\-./#]+")

# Words of conversation rather than of any trade: in a trial over labelled requests, dropping them
# moved recall@5 of BM25 from 0.60 to 0.71. Function words of English are among them.
CONVERSATION = frozenset(
    """
    a about above across after again against all along already also although always am among an and any anyone
    anything are aren't around as ask at available away back be became because become been before being below
    best better between both but by call came can can't cannot come could couldn't did didn't do does doesn't
    doing don't done down during each easily effectively either else enough etc even ever every everyone
    everything example existing few find first for from full further get gets getting give given go goes going
    good got great had has hasn't have haven't having he hello help helped helping helps her here hers hi him
    his hope how however i i'd i'll i'm i've idea if in instead interested into involving is isn't it it's its
    itself just keep kind know known later least let let's like looking look lot made make makes making many may
    maybe me mean might mine more most much must my myself need needed needing needs never new next no nobody none nor not
    nothing now of off often ok okay on once one only onto or other others our ours out over own per perhaps
    please possible provide provided provides providing put quite rather really recommend regarding right said
    same say see seem several shall she should shouldn't show so some someone something sometimes soon still
    such suggest suggestions sure take tell than thank thanks that that's the their theirs them then there
    there's these they they're thing things think this those though through thus to together too toward towards
    tried try trying until up upon us use used useful user's uses using various very via want wanted wants was
    way ways we we'd we'll we're we've well were what what's when where whether which while who whole whom whose
    why will with within without won't wonder wondering would would've wouldn't yes yet you you'd you'll you're
    you've your yours
    """.split()  # noqa: SIM905 - as a list it is three hundred lines
)


class Word:
    """A word as it stands in a text, with the terms it is found under."""

    __slots__ = ("terms", "text")

    def __init__(self, text: str, terms: tuple[str, ...]) -> None:
        self.text = text
        self.terms = terms


def words_of(text: str) -> list[Word]:
    """Return the telling words of a text in order, conversation left out."""
    return [Word(each, terms) for each in WORD.findall(text) if (terms := terms_of_word(each))]


def says_something(text: str) -> bool:
    """Return whether a text has a telling word."""
    return any(terms_of_word(found[0]) for found in WORD.finditer(text))


def terms_of(text: str) -> list[str]:
    """Return the terms of a text, in order, with repetitions."""
    return [term for word in WORD.findall(text) for term in terms_of_word(word)]


def word_counts(text: str) -> Counter[str]:
    """Return how often each word occurs in a text as it is written, conversation too."""
    return Counter(WORD.findall(text))


def spelled_out(identifier: str) -> str:
    """Return an identifier as the words it is made of."""
    return " ".join(part for part in SEAM.split(identifier) if part)


def hash_of_term(term: str) -> int:
    """Return a number of 64 bits for a term, the same on every platform; of different terms, two in 2^64 share one."""
    return int.from_bytes(hashlib.blake2b(term.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


@lru_cache(maxsize=1 << 16)
def hashed_terms(word: str) -> tuple[int, ...]:
    """Return the hashes of the terms of one word, and remember those of 65,536 words."""
    return tuple(hash_of_term(term) for term in _terms(word))


def terms_of_word(word: str) -> tuple[str, ...]:
    """Return the terms of one word, each once: the stem of the whole, its joined form and its parts."""
    return _cached_terms(word) if len(word) <= CACHED_CHARACTERS else _terms(word)


@lru_cache(maxsize=1 << 16)
def _cached_terms(word: str) -> tuple[str, ...]:
    """Remember 65,536 words, the vocabulary of a large catalog: about 20 MB, whatever the words."""
    return _terms(word)


def _terms(word: str) -> tuple[str, ...]:
    """Return the stemmed whole, its joined form and its parts, each once; nothing for conversation."""
    lowered = word.lower().replace(APOSTROPHE, "'")
    if lowered in CONVERSATION:
        return ()
    if word.isalnum() and (word[1:].islower() or word.isupper()):
        return (STEMMER.stem(lowered),)
    parts = PARTS.findall(lowered)
    if len(parts) > 1:
        forms: Iterable[str] = ("".join(parts), *(part for part in parts if part not in CONVERSATION))
    elif lowered == NO_COMPOUND:
        forms = (lowered,)
    else:
        forms = (lowered, *(part.lower() for part in CAMEL.split(word) if MIN_CAMEL_PART <= len(part) < len(word)))
    return tuple(dict.fromkeys(STEMMER.stem(form) for form in forms if form))


class _Stemmer(threading.local):
    """The English Snowball stemmer; it keeps state, so each thread has its own."""

    def __init__(self) -> None:
        # Without its cache, which is slower than stemming: `terms_of_word` has one.
        self._stemmer = Stemmer.Stemmer("english", 0)

    def stem(self, form: str) -> str:
        return str(self._stemmer.stemWord(form))


STEMMER = _Stemmer()
