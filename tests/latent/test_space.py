"""The interface to latent spaces, on a made-up model whose answers are known, and on every family."""

import pytest
import torch
from family_tests import narrow_model, text_autoencoders
from linear_autoencoder import SENTENCES, LinearAutoencoder

from hf_arae import RnnLmConfig, RnnLmForCausalLM
from hf_arae.latent.space import LatentSpace
from hf_arae.latent.texts import word_precision

A, B = "a man is sleeping .", "two dog is walking ."


@pytest.fixture(scope="module")
def latent():
    model = LinearAutoencoder()
    return LatentSpace(model, model.tokenizer)


def sentences(verb: str) -> list[str]:
    return [text for text in SENTENCES if verb in text]


# Texts and vectors


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_texts_come_back_in_their_order(batch_size):
    model = LinearAutoencoder()
    latent = LatentSpace(model, model.tokenizer, batch_size=batch_size)
    texts = [*SENTENCES, "TWO people is standing."]
    codes = latent.encode(texts)
    assert codes.shape == (28, 9)
    assert latent.decode(codes) == [*SENTENCES, "two people is standing ."]
    assert max(model.batches) <= batch_size
    assert latent.decode(codes.flip(1), "z") == latent.decode(codes)
    assert torch.equal(latent.to_codes(codes.flip(1)), codes)


def test_one_text_is_a_batch_of_one_and_nothing_gives_nothing(latent):
    assert latent.encode(A).shape == (1, 9)
    assert torch.equal(latent.encode(text for text in [A, B]), latent.encode((A, B)))
    assert latent.encode([]).shape == latent.to_codes(torch.empty(0, 9)).shape == (0, 9)
    assert latent.decode(torch.empty(0, 9)) == []
    assert latent.interpolate([], [], 3) == latent.walk([], 3) == latent.nearest([], SENTENCES) == []


def test_points_of_any_precision_are_read(latent):
    codes = latent.encode(SENTENCES)
    assert latent.decode(codes.double()) == latent.decode(codes.half()) == SENTENCES


def test_drawn_codes_are_those_of_the_drawn_z(latent):
    z, codes = latent.draw(5, "z", seed=3), latent.draw(5, seed=3)
    assert z.shape == (5, 9)
    assert torch.equal(latent.to_codes(z), codes)
    assert latent.sample(5, seed=3) == latent.decode(codes)
    assert not torch.equal(z, latent.draw(5, "z", seed=4))


def test_samples_are_grouped_by_row(latent):
    codes = 100 * latent.encode([A, B])
    assert latent.decode_samples(codes, 3) == [[A] * 3, [B] * 3]
    several = latent.decode_samples(0.1 * latent.encode([A, B]), 40)
    assert [len(texts) for texts in several] == [40, 40]
    assert all(len(set(texts)) > 5 for texts in several)


def test_draws_depend_on_the_seed_alone(latent):
    codes = torch.zeros(2, 9)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = latent.decode_samples(codes, 10, seed=5)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert latent.decode_samples(codes, 10, seed=5) == first != latent.decode_samples(codes, 10, seed=6)


# Interpolation


@pytest.mark.parametrize("method", ["linear", "spherical"])
def test_interpolation_begins_and_ends_at_its_sentences(latent, method):
    lines = latent.interpolate([A, B], [B, A], steps=4, method=method)
    assert [len(line) for line in lines] == [4, 4]
    assert (lines[0][0], lines[0][-1]) == (A, B)
    assert (lines[1][0], lines[1][-1]) == (B, A)
    assert set(lines[0]) == {A, B}  # all three words change halfway


def test_one_row_goes_to_all_of_the_other(latent):
    together = latent.interpolate(A, latent.encode([B, SENTENCES[-1]]), steps=3)
    assert together == [latent.interpolate(A, other, steps=3)[0] for other in (B, SENTENCES[-1])]


def test_interpolation_between_z_goes_through_the_generator(latent):
    z = latent.encode([A, B]).flip(1)
    assert latent.interpolate(z[:1], z[1:], 5, space="z") == latent.interpolate(A, B, 5)


# Walks


def test_a_walk_is_written_from_its_start_on(latent):
    walks = latent.walk([A, B], steps=5, angle=0.01)
    assert walks == [[A] * 5, [B] * 5]
    far = latent.walk(latent.encode(A).flip(1), steps=30, angle=1.0, space="z")[0]
    assert far[0] == A and len(set(far)) > 5


# Neighbours


def test_neighbours_share_most_words_and_begin_with_the_sentence_itself(latent):
    (found,) = latent.nearest(A, SENTENCES, k=8)
    assert (found[0].text, found[0].row) == (A, SENTENCES.index(A)) and found[0].similarity == pytest.approx(1)
    assert [near.similarity for near in found[1:7]] == pytest.approx([2 / 3] * 6)
    assert all(len(set(near.text.split()) & set(A.split())) == 4 for near in found[1:7])
    assert found[7].similarity == pytest.approx(1 / 3)


def test_neighbours_of_many_and_with_known_codes(latent):
    codes = latent.encode(SENTENCES)
    found = latent.nearest(codes.repeat(5, 1), SENTENCES, k=2, codes=2 * codes)
    assert [near[0].text for near in found] == SENTENCES * 5
    assert found[:27] == latent.nearest(SENTENCES, SENTENCES, k=2)


# Arithmetic


def test_the_offset_is_the_difference_of_the_means(latent):
    offset = latent.offset(sentences("sleeping"), sentences("walking"))
    torch.testing.assert_close(offset, torch.tensor([0.0] * 6 + [-1.0, 1.0, 0.0]))
    backwards = [latent.encode(sentences(verb)).flip(1) for verb in ("sleeping", "walking")]
    torch.testing.assert_close(latent.offset(*backwards, space="z"), offset.flip(0))


def test_arithmetic_changes_the_verb_and_nothing_else(latent):
    base = [A, "several people is sleeping ."]
    moved = latent.arithmetic(base, sentences("sleeping"), sentences("walking"), num_samples=1, do_sample=False)
    assert moved == [["a man is walking ."], ["several people is walking ."]]
    z = [latent.encode(texts).flip(1) for texts in (base, sentences("sleeping"), sentences("walking"))]
    assert latent.arithmetic(*z, num_samples=1, do_sample=False, space="z") == moved


def test_the_search_keeps_what_is_wanted_and_puts_the_closest_first(latent):
    base = 0.1 * latent.encode([A, B])  # small codes: every word is drawn now and then
    classes = [0.1 * latent.encode(sentences(verb)) for verb in ("sleeping", "walking")]
    samples = latent.arithmetic(base, *classes)
    assert [len(texts) for texts in samples] == [100, 100]
    found = latent.arithmetic(base, *classes, wanted=lambda text: "standing" in text)
    for original, texts, drawn in zip((A, B), found, samples, strict=True):
        assert set(texts) == {text for text in drawn if "standing" in text} and len(texts) == len(set(texts)) > 2
        precisions = [word_precision(text, original) for text in texts]
        assert precisions == sorted(precisions, reverse=True) and precisions[0] > precisions[-1]
    assert latent.arithmetic([A, B], *classes, num_samples=3, wanted=lambda text: "cat" in text) == [[], []]


@pytest.mark.parametrize(
    ("text", "original", "share"),
    [
        ("a man is walking .", "a man is sleeping .", 0.8),
        ("a a a dog", "a dog", 0.5),
        ("a dog", "a dog and a man are here", 1.0),
        ("two cats", "a dog", 0.0),
        ("", "a dog", 0.0),
        ("a dog", "", 0.0),
    ],
)
def test_word_precision(text, original, share):
    assert word_precision(text, original) == pytest.approx(share)


def test_texts_as_the_model_reads_them(latent):
    assert latent.as_read("A MAN is xyzzy sleeping.") == ["a man is sleeping ."]
    assert latent.as_read([A, B]) == [A, B] and latent.as_read([]) == []


# Wrong input

Z = torch.zeros(2, 9)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.encode([A, " "]), ValueError, "text 1 is empty"),
        (lambda s: s.encode(""), ValueError, "the text is empty"),
        (lambda s: s.encode([A, 3]), TypeError, "text 1 must be a string, got int"),
        (lambda s: s.encode(3), TypeError, "must be a string or strings"),
        (lambda s: s.encode([A, "man " * 7]), ValueError, "text 1 has 7 words, more than the limit of 6"),
        (lambda s: s.interpolate(A, "man " * 7), ValueError, "the text of b has 7 words"),
        (lambda s: s.interpolate([A, B], [A, ""]), ValueError, "text 1 of b is empty"),
        (lambda s: s.nearest("", [A, B], k=1), ValueError, "text of texts is empty"),
        (
            lambda s: s.decode(torch.zeros(2, 8)),
            ValueError,
            r"points must be codes of shape \(rows, 9\), got \(2, 8\)",
        ),
        (lambda s: s.decode(torch.zeros(9)), ValueError, r"\(rows, 9\), got \(9,\)"),
        (lambda s: s.walk(torch.zeros(2, 8), space="z"), ValueError, r"start must be z of shape \(rows, 9\)"),
        (lambda s: s.decode(torch.zeros(2, 9).long()), ValueError, "floating-point"),
        (lambda s: s.decode(torch.tensor([[0.0] * 9, [torch.nan] * 9])), ValueError, "not finite, in row 1"),
        (lambda s: s.decode(Z, "codes"), ValueError, "space must be one of 'code', 'z'; got 'codes'"),
        (lambda s: s.decode(Z, num_beems=2), TypeError, "did you mean num_beams"),
        (lambda s: s.decode(Z, num_return_sequences=2), TypeError, "num_return_sequences"),
        (lambda s: s.interpolate(A, B, steps=0), ValueError, "steps must be at least 2, got 0"),
        (lambda s: s.interpolate(A, B, steps=1), ValueError, "steps must be at least 2, got 1"),
        (lambda s: s.interpolate(A, B, method="cubic"), ValueError, "'linear', 'spherical'; got 'cubic'"),
        (lambda s: s.interpolate([A, B], [A, B, A]), ValueError, r"\(2, 9\), \(3, 9\)"),
        (lambda s: s.interpolate(A, Z, space="z"), ValueError, "no z is known"),
        (lambda s: s.interpolate(Z, Z, method="spherical"), ValueError, "row 0 of a is zero"),
        (lambda s: s.interpolate(1 + Z, -1 - Z, method="spherical"), ValueError, "row 0 .* opposite directions"),
        (lambda s: s.walk(A, steps=1), ValueError, "steps must be at least 2"),
        (lambda s: s.walk(A, angle=0), ValueError, "angle must lie above 0"),
        (lambda s: s.walk(Z), ValueError, "row 0 of start is zero"),
        (lambda s: s.sample(0), ValueError, "num_samples must be at least 1, got 0"),
        (lambda s: s.decode_samples(Z, 0), ValueError, "num_samples must be at least 1, got 0"),
        (lambda s: s.nearest(A, [A, B], k=3), ValueError, r"k must lie in 1..2"),
        (lambda s: s.nearest(A, [A, B], k=1, codes=Z[:1]), ValueError, "1 rows for 2 texts"),
        (lambda s: s.arithmetic(A, [], [B]), ValueError, "minus is empty"),
        (lambda s: s.arithmetic(A, [A], Z[:0]), ValueError, "plus is empty"),
        (lambda s: s.arithmetic(A, [A], [B], num_samples=0), ValueError, "num_samples must be at least 1, got 0"),
    ],
)
def test_wrong_input_is_refused_with_what_was_wrong(latent, call, error, message):
    with pytest.raises(error, match=message):
        call(latent)


def test_a_long_text_is_cut_on_demand(latent):
    assert torch.equal(latent.encode(f"{A} dog dog", truncation=True), latent.encode(f"{A} dog"))


def test_without_a_generator_there_is_no_z():
    model = LinearAutoencoder(generator=False)
    latent = LatentSpace(model, model.tokenizer)
    assert latent.sample(3, seed=1) == latent.decode(latent.draw(3, seed=1))
    for call in (
        lambda: latent.draw(3, "z"),
        lambda: latent.decode(Z, "z"),
        lambda: latent.to_codes(Z),
        lambda: latent.interpolate(Z, Z, space="z"),
    ):
        with pytest.raises(ValueError, match="LinearAutoencoder has no generator"):
            call()


# Real models

SIZES = {"embedding_size": 8, "hidden_size": 12, "code_size": 6, "max_sequence_length": 10}


@pytest.fixture(scope="module", params=text_autoencoders())
def family(request, tokenizer):
    return narrow_model(request.param, len(tokenizer), **SIZES).train()


def test_every_family_has_the_interface(family, tokenizer):
    latent = LatentSpace(family, tokenizer)
    assert not family.training
    texts = ["the food was great .", "awful food .", "i am coming back ."]
    codes = latent.encode(texts)
    alone = torch.cat([family.encode(**tokenizer(text, return_tensors="pt")) for text in texts])
    torch.testing.assert_close(codes, alone)
    written = family.decode(codes)[:, : tokenizer.model_max_length - 1]
    assert latent.decode(codes) == tokenizer.batch_decode(written, skip_special_tokens=True)
    assert latent.decode(codes, num_beams=2, max_new_tokens=4) == tokenizer.batch_decode(
        family.decode(codes, num_beams=2, max_new_tokens=4), skip_special_tokens=True
    )
    if family.draws_codes:
        sampled = family.sample(20, seed=7)[:, : tokenizer.model_max_length - 1]
        assert latent.sample(20, seed=7) == tokenizer.batch_decode(sampled, skip_special_tokens=True)
        assert LatentSpace(family, tokenizer, batch_size=3).sample(20, seed=7) == latent.sample(20, seed=7)
        space = latent.native_space
        assert len(latent.walk(latent.draw(2, space), 4, space=space)[1]) == 4
    else:
        with pytest.raises(ValueError, match="draws no codes"):
            latent.draw(2)
    assert len(latent.walk(codes[:2], 4)[1]) == 4
    assert len(latent.interpolate(texts[0], texts[1:], 3, "spherical")[1]) == 3
    assert latent.nearest(texts[1], texts, k=1)[0][0].text == texts[1]
    assert len(latent.arithmetic(texts[0], texts[1:2], texts[2:], num_samples=7, temperature=0.5)[0]) == 7


def test_what_is_written_can_be_read_again(family, tokenizer):
    latent = LatentSpace(family, tokenizer)
    longest = tokenizer.model_max_length - 2
    codes = latent.encode(["great !"]) + torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    assert family.decode(codes).shape[1] > longest + 1  # the model itself goes on for a word
    texts = latent.decode(codes)
    assert max(len(text.split()) for text in texts) == longest
    latent.encode([text for text in texts if text])  # an untrained model writes empty ones too
    assert max(len(text.split()) for text in latent.decode(codes, max_new_tokens=longest + 5)) > longest


def test_the_two_spaces_of_a_model_with_a_generator_are_told_apart(tokenizer):
    latent = LatentSpace(narrow_model("arae", len(tokenizer), latent_size=4, **SIZES), tokenizer)
    with pytest.raises(ValueError, match=r"points must be codes of shape \(rows, 6\), got \(2, 4\); space says which"):
        latent.decode(torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"points must be z of shape \(rows, 4\), got \(2, 6\); space says which"):
        latent.decode(torch.zeros(2, 6), "z")


def test_a_model_with_attributes_writes_with_the_one_that_was_chosen(transfer_model, tokenizer):
    texts = [LatentSpace(transfer_model, tokenizer, attribute=value).sample(10) for value in (0, 1)]
    for value in (0, 1):
        ids = transfer_model.sample(10, value, seed=0)[:, : tokenizer.model_max_length - 1]
        assert texts[value] == tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert texts[0] != texts[1]
    unset = LatentSpace(transfer_model, tokenizer)
    assert unset.encode("great !").shape == (1, 8)
    with pytest.raises(ValueError, match="attribute is needed to write: this model has 2 decoders"):
        unset.sample(2)
    with pytest.raises(ValueError, match=r"attribute must be one of .*got 2"):
        LatentSpace(transfer_model, tokenizer, attribute=2)


def test_what_is_no_autoencoder_is_refused(tokenizer):
    model = RnnLmForCausalLM(RnnLmConfig(vocab_size=len(tokenizer), embedding_size=4, hidden_size=4))
    with pytest.raises(TypeError, match="RnnLmForCausalLM has no encode"):
        LatentSpace(model, tokenizer)
    plain = narrow_model("arae", len(tokenizer))
    with pytest.raises(ValueError, match="no attributes, got 0"):
        LatentSpace(plain, tokenizer, attribute=0)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        LatentSpace(plain, tokenizer, batch_size=0)
