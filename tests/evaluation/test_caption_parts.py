"""Subject, verb and modifier of captions."""

from types import SimpleNamespace

import pytest

from hf_arae.evaluation.caption_parts import CaptionParts, parse_captions, spacy_parser


@pytest.mark.parametrize(
    ("caption", "subject", "verb", "modifier"),
    [
        # a form of "be" and a participle, also after other phrases and clauses
        ("a man is sleeping .", "man", "sleeping", "a"),
        ("The young girl, in a red dress, is quietly walking home.", "girl", "walking", "the"),
        ("A man in a black shirt and jeans is working on a boat.", "man", "working", "a"),
        ("A woman wearing a hat is standing in the rain .", "woman", "standing", "a"),
        ("Three dogs are being washed", "dogs", "washed", "three"),
        ("a boy is sitting on a man who is walking .", "boy", "sitting", "a"),
        ("A man is outside on a bench .", "man", "is", "a"),
        ("a man 's walking .", "man", "walking", "a"),
        # present tense
        ("Two dogs play in the snow", "dogs", "play", "two"),
        ("The small white dog runs.", "dog", "runs", "the"),
        ("a man in a blue hat stands on two stands .", "man", "stands", "a"),
        ("A man in swimming trunks with two watches looks up", "man", "looks", "a"),
        ("a father and a son play cards .", "father", "play", "a"),
        ("a group of people wait for a bus .", "group", "wait", "a"),
        ("a young rock climber climbs .", "climber", "climbs", "a"),
        ("a woman carries water while a dog is barking .", "woman", "carries", "a"),
        # a bare participle
        ("Man covered in multicolored sponges .", "man", "covered", None),
        ("several children playing a guitar", "children", "playing", "several"),
        ("a building near a road", "building", None, "a"),
        # what opens the sentence
        ("There is a man standing near a railing .", "man", "standing", "a"),
        ("there are two cars on a road .", "cars", "are", "two"),
        ("In a park , several people are eating .", "people", "eating", "several"),
        ("Using a broom, a worker sweeps a floor while singing.", "worker", "sweeps", "a"),
        # modifiers
        ("the two boys are running .", "boys", "running", "two"),
        ("a lot of people are waiting .", "people", "waiting", "lot"),
        ("young men are talking .", "men", "talking", "young"),
        ("People are talking.", "people", "talking", None),
        ("a black and white dog is barking .", "dog", "barking", "a"),
        ("a smiling, blond man is eating .", "man", "eating", "a"),
        ("the boy 's sister is crying .", "sister", "crying", "the"),
        ("an elderly in a chair .", "elderly", None, "an"),
        # nothing to find
        ("", None, None, None),
        (". . .", None, None, None),
        ("in the rain", None, None, None),
    ],
)
def test_parts(caption, subject, verb, modifier):
    assert parse_captions([caption]) == [CaptionParts(subject, verb, modifier)]


def test_case_and_tokenisation_do_not_matter():
    plain, written = parse_captions(["a man 's dog is barking , i think .", "A man's dog is barking, I think."])
    assert plain == written == ("dog", "barking", "a")


def token(text: str, dep: str, pos: str = "NOUN", **more) -> SimpleNamespace:
    return SimpleNamespace(text=text, dep_=dep, pos_=pos, children=[], **more)


def test_spacy_dependencies_give_the_same_parts():
    det, number, man, verb = token("The", "det"), token("Two", "nummod"), token("men", "nsubj"), token("Ride", "ROOT")
    man.children, man.head = [det, number], verb
    boy, clause = token("boy", "ROOT"), token("running", "acl", "VERB")
    boy.children = [token("small", "amod"), clause]
    documents = {
        "The Two men Ride": [det, number, man, verb],
        "small boy running": [boy.children[0], boy, clause],
        "Run": [token("Run", "ROOT", "VERB")],
    }
    parse = spacy_parser(SimpleNamespace(pipe=lambda texts: map(documents.get, texts)))
    assert parse(list(documents)) == [("men", "ride", "two"), ("boy", "running", "small"), (None, None, None)]
