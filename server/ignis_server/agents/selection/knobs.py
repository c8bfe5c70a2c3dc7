"""Every number that selection can be told, in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Promise", "SelectionKnobs"]


@dataclass(frozen=True, slots=True)
class Promise:
    """What has to be loaded for a recall to hold.

    Attributes:
        recall: The share of the relevant agents that is found, on average over requests.
        least_answerable: A need that the catalog answers with a lower chance is given up.
        cut_off: The standing from which on agents are loaded for a need.
    """

    recall: float
    least_answerable: float
    cut_off: float


@dataclass(frozen=True, slots=True)
class SelectionKnobs:
    """What is weighed how; docs/decisions/0005-selection.md has the experiment behind each.

    Attributes:
        field_weights: What an occurrence of a word counts in each field of an agent (BM25F).
        saturation: BM25's k1: how soon more occurrences of a word stop to tell more.
        length_normalisation: BM25's b: 0 takes long fields as they are, 1 counts occurrences by length.
        rarity_exponent: To what power the rarity of a subword in the catalog weighs in a text's vector. 0: not at all.
        head_share: The share of the name and description in an agent's meaning; the rest is its best passage's.
        passage_candidates: For how many agents, the likeliest of each text, passages are compared at all.
        shortest_gram, longest_gram: How many characters the patterns of spelling have.
        words_weight: What a word that only one agent has adds to a score, in standard deviations of meaning.
        spelling_weight: What a standard deviation of spelling adds to it.
        sentence_share, clause_share: What of a need's score its sentence and its own words make up; the rest is
            its paragraph's.
        prior_agents: With the weight of how many more agents the usual mean and deviation are mixed with a catalog's.
        usual_meaning, usual_spelling: Mean and standard deviation of scores in other catalogs.
        standing_share: What of the best agent's score is subtracted from all, so that one cut-off serves requests
            that are answered well and those that are not.
        kin_weight: What a standard deviation of nearness to the best agents adds to how far an agent stands out.
        kin_agents, kin_temperature, kin_width: How many the best are, how soon they count less the worse they score, and
            how soon the less alike an agent is to them, in cosine.
        answerable_offset, answerable_per_cosine, answerable_per_log_share: The logistic regression that tells whether
            a catalog answers a paragraph at all, from the best cosine and the best share of its words.
        relevant_offset, relevant_per_log_odds: The logistic regression that tells whether an agent is relevant, where
            the catalog answers, from the odds it has against all others in a softmax over the scores.
        affinity: By how much the logarithm of an agent's answer to a need falls for each point that it scores less than
            for another need of the same paragraph.
        promises: What to load for which recall, the lowest first; measured on the least favourable labelled set.
    """

    field_weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "name": 3.0,
            "labels": 1.0,
            "description": 0.5,
            "examples": 1.0,
            "headings": 0.5,
            "body": 0.5,
        }
    )
    saturation: float = 3.0
    length_normalisation: float = 0.75
    rarity_exponent: float = 0.25
    head_share: float = 0.5
    passage_candidates: int = 24
    shortest_gram: int = 3
    longest_gram: int = 5
    words_weight: float = 1.0
    spelling_weight: float = 0.2
    sentence_share: float = 0.5
    clause_share: float = 0.25
    prior_agents: float = 20.0
    usual_meaning: tuple[float, float] = (0.138, 0.081)
    usual_spelling: tuple[float, float] = (0.041, 0.036)
    standing_share: float = 0.35
    kin_weight: float = 0.6
    kin_agents: int = 40
    kin_temperature: float = 3.0
    kin_width: float = 0.15
    answerable_offset: float = -4.95
    answerable_per_cosine: float = 11.97
    answerable_per_log_share: float = 0.332
    relevant_offset: float = 0.47
    relevant_per_log_odds: float = 1.03
    affinity: float = 3.0
    promises: tuple[Promise, ...] = (
        Promise(recall=0.5, least_answerable=0.1168, cut_off=2.52),
        Promise(recall=0.6, least_answerable=0.1012, cut_off=2.0),
        Promise(recall=0.7, least_answerable=0.0787, cut_off=1.42),
        Promise(recall=0.8, least_answerable=0.0673, cut_off=0.62),
        Promise(recall=0.85, least_answerable=0.0593, cut_off=0.21),
        Promise(recall=0.9, least_answerable=0.0438, cut_off=-0.62),
        Promise(recall=0.95, least_answerable=0.0336, cut_off=-1.65),
        Promise(recall=0.97, least_answerable=0.0234, cut_off=-2.13),
        Promise(recall=0.99, least_answerable=0.0214, cut_off=-2.94),
    )
