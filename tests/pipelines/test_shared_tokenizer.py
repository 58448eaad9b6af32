"""Threads share a tokenizer, which keeps what it was told last: nothing that reads texts tells it to cut or to pad."""

from headline_selectors import untrained_selector
from transformers import pipeline

from hf_arae import LatentSpace
from hf_arae.data.text.tokenization import train_tokenizer

LONG = "the food was great " * 10


def told(tokenizer) -> tuple:
    return tokenizer.backend_tokenizer.truncation, tokenizer.backend_tokenizer.padding


def test_what_is_cut_is_the_text_and_not_the_tokenizer_s_setting(transfer_model, tokenizer, monkeypatch):
    news = train_tokenizer([LONG], max_length=10, style="news")
    summarizer = untrained_selector(len(news), max_source_length=8)
    rewrite = pipeline("text-style-transfer", model=transfer_model, tokenizer=tokenizer)
    summarize = pipeline("text-summarization", model=summarizer, tokenizer=news)
    latent = LatentSpace(transfer_model, tokenizer, "positive")
    cut = " ".join(LONG.split()[:10])
    for used in (tokenizer, news):
        used.backend_tokenizer.no_truncation()
        used.backend_tokenizer.no_padding()
    settings = []
    read = type(tokenizer)._encode_plus

    def encode(self, *arguments, **options):  # what it is told while a text is read, as another thread would find it
        result = read(self, *arguments, **options)
        settings.append(told(self))
        return result

    monkeypatch.setattr(type(tokenizer), "_encode_plus", encode)
    assert rewrite([LONG, "awful food ."], truncation=True) == rewrite([cut, "awful food ."])
    assert latent.encode([LONG, "awful food ."], truncation=True).equal(latent.encode([cut, "awful food ."]))
    assert latent.as_read([LONG]) == latent.as_read([cut]) == [cut]
    result = summarize([LONG], truncation=True, target_length=3)
    assert result == summarize([" ".join(LONG.split()[:8])], target_length=3)
    assert result[0]["source_words"] == 8
    assert len(settings) > 8 and all(setting == (None, None) for setting in settings)
