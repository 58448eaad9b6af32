"""A made-up autoencoder of sentences "MODIFIER SUBJECT is VERB .", whose codes say each part on its own axis."""

from itertools import product
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from hf_arae.data.text.tokenization import train_tokenizer

MODIFIERS, SUBJECTS, VERBS = ("a", "two", "several"), ("man", "dog", "people"), ("sleeping", "walking", "standing")
SLOTS = (MODIFIERS, SUBJECTS, VERBS)
SENTENCES = [f"{modifier} {subject} is {verb} ." for modifier, subject, verb in product(*SLOTS)]


class LinearAutoencoder(nn.Module):
    """Codes are three one-hot vectors side by side, `(batch, 9)`; the largest coordinate of each writes its word.

    The generator turns z over, so z of a sentence is its code backwards. Sampling draws each word from
    softmax(10 * coordinates).
    """

    def __init__(self, generator: bool = True):
        super().__init__()
        self.tokenizer = train_tokenizer(SENTENCES, max_length=6)
        self.config = SimpleNamespace(code_size=9, latent_size=9, num_attributes=1)
        self.words = torch.tensor([[self.tokenizer.convert_tokens_to_ids(word) for word in slot] for slot in SLOTS])
        self.frame = self.tokenizer("is .")["input_ids"]
        self.device, self.dtype, self.batches = torch.device("cpu"), torch.float32, []
        if generator:
            self.generate_codes = lambda z: z.flip(1)

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        found = (ids[:, None, None, :] == self.words[None, :, :, None]).any(-1)
        return found.flatten(1).float()

    def decode(self, codes: Tensor, attribute=None, do_sample: bool = False) -> Tensor:
        self.batches.append(len(codes))
        scores = codes.unflatten(1, (3, 3))
        if do_sample:
            chosen = torch.multinomial((10 * scores).softmax(-1).flatten(0, 1), 1).view(-1, 3)
        else:
            chosen = scores.argmax(-1)
        modifier, subject, verb = self.words[torch.arange(3), chosen].T
        begin, is_, stop, end = (torch.full_like(verb, token) for token in self.frame)
        return torch.stack([begin, modifier, subject, is_, verb, stop, end], 1)

    def sample_codes(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(num_samples, 9, generator=generator).flip(1)
