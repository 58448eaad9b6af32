"""ARAE written the obvious way, as the published loop is: what the fast one must follow, and is timed against.

Packed sequences, one pass a class, all logits of all positions, the critic's codes encoded again (with their graph) at
each of its updates, a gradient penalty differentiated twice, optimizers over single tensors. The mathematics, and the
order in which random numbers are drawn, are those of `AraeObjective`.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence

from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjectiveArguments
from hf_arae.utils.distributed import SharedRandom


class PlainArae:
    """Trains a model with tables of its own for encoder and decoders, and decodes with it.

    Args:
        model: changed in place. Two attribute values, nothing masked, no shared table, no amplified code.
        settings: SGD for the autoencoder, gradient penalty.
        seed: of the noise.
    """

    def __init__(self, model: AraeModel, settings: AraeObjectiveArguments, seed: int = 0):
        assert not (model.config.share_embeddings or model.config.mask_attribute_words or model.config.amplify_code)
        self.model, self.settings, self.seed, self.step = model.train(), settings, seed, 0
        self.autoencoder = [
            *model.embeddings.parameters(),
            *model.encoder.parameters(),
            *model.decoders.parameters(),
            *model.projection.parameters(),
        ]
        self.autoencoder_optimizer = torch.optim.SGD(self.autoencoder, settings.autoencoder_learning_rate)
        self.adversaries = {
            name: torch.optim.Adam(getattr(model, name).parameters(), rate, betas=(0.5, 0.999))
            for name, rate in (
                ("critic", settings.critic_learning_rate),
                ("generator", settings.generator_learning_rate),
                ("classifier", settings.classifier_learning_rate),
            )
        }

    def encode(self, ids: Tensor, lengths: Tensor) -> Tensor:
        embedded = self.model.embeddings[0](ids)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.model.encoder.lstm(packed)
        return hidden[-1] / hidden[-1].norm(dim=1, keepdim=True)

    def reconstruction(self, code: Tensor, ids: Tensor, value: int) -> tuple[Tensor, Tensor]:
        """Sum of the cross-entropies and number of tokens."""
        embedded = self.model.embeddings[1 + value](ids[:, :-1])
        repeated = code.unsqueeze(1).repeat(1, embedded.shape[1], 1)
        states, _ = self.model.decoders[value].lstm(torch.cat([embedded, repeated], 2))
        flat = states.contiguous().view(-1, states.shape[2])
        logits = F.linear(flat, self.model.projection.weight, self.model.projection.bias)
        targets = ids[:, 1:].contiguous().view(-1)
        mask = targets.gt(0)
        wide = mask.unsqueeze(1).expand(mask.shape[0], logits.shape[1])
        loss = F.cross_entropy(logits.masked_select(wide).view(-1, logits.shape[1]), targets.masked_select(mask))
        return loss * mask.sum(), mask.sum()

    def critic(self, code: Tensor) -> Tensor:
        return self.model.critic.layers(code)

    def generate(self, count: int, random: SharedRandom) -> Tensor:
        latent = random.draw(torch.Tensor.normal_, torch.empty(count, self.model.config.latent_size))
        return self.model.generator.layers(latent).tanh()

    def iterate(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Makes one iteration; returns its losses by the loop's names, and leaves its phases' times in `seconds`."""
        model, settings = self.model, self.settings
        random = SharedRandom(self.seed, self.step)
        noise_std = settings.noise_std * settings.noise_decay ** (self.step // settings.noise_decay_steps)
        rows = [(batch["attribute"] == value).nonzero().squeeze(1) for value in (0, 1)]
        ids = [batch["input_ids"][part] for part in rows]
        lengths = [batch["attention_mask"][part].sum(1) for part in rows]
        labels = [batch["attribute"][part] for part in rows]
        log, self.seconds, began = {}, {}, time.perf_counter()

        def finish(phase: str, loss: float) -> None:
            nonlocal began
            now = time.perf_counter()
            log[f"{phase}/loss"], self.seconds[phase], began = loss, now - began, now

        def encode_both() -> Tensor:
            return torch.cat([self.encode(part, length) for part, length in zip(ids, lengths, strict=True)])

        model.zero_grad()
        noise = random.draw(torch.Tensor.normal_, torch.empty(len(batch["input_ids"]), model.config.code_size))
        total = count = 0
        for value in (0, 1):
            code = self.encode(ids[value], lengths[value]) + noise_std * noise[rows[value]]
            loss, tokens = self.reconstruction(code, ids[value], value)
            total, count = total + loss, count + tokens
        loss = total / count
        loss.backward()
        clip_grad_norm_(self.autoencoder, settings.max_grad_norm)
        self.autoencoder_optimizer.step()
        finish("autoencoder", loss.item())

        critic_losses = []
        for _ in range(settings.critic_steps):
            model.zero_grad()
            real = encode_both()
            fake = self.generate(len(real), random)
            share = random.draw(torch.Tensor.uniform_, torch.empty(len(real), 1))[torch.cat(rows)]
            between = (share * real + (1 - share) * fake[torch.cat(rows)]).detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
            penalty = ((gradient.norm(dim=1) - 1) ** 2).mean()
            loss = self.critic(fake).mean() - self.critic(real).mean() + settings.gradient_penalty * penalty
            loss.backward()
            self.adversaries["critic"].step()
            critic_losses.append(loss.item())
        finish("critic", sum(critic_losses) / len(critic_losses))

        model.zero_grad()
        loss = F.cross_entropy(model.classifier.layers(encode_both()), torch.cat(labels))
        loss.backward()
        self.adversaries["classifier"].step()
        finish("classifier", loss.item())

        model.zero_grad()
        loss = -self.critic(self.generate(len(batch["input_ids"]), random)).mean()
        loss.backward()
        self.adversaries["generator"].step()
        finish("generator", loss.item())

        model.zero_grad()
        code = encode_both()
        giveaway = F.cross_entropy(model.classifier.layers(code), 1 - torch.cat(labels))
        loss = settings.critic_scale * self.critic(code).mean() + settings.classifier_scale * giveaway
        loss.backward()
        clip_grad_norm_(self.autoencoder, settings.max_grad_norm)
        self.autoencoder_optimizer.step()
        finish("encoder", loss.item())
        self.step += 1
        return log

    @torch.no_grad()
    def transfer(self, ids: Tensor, lengths: Tensor, value: int, steps: int = 50) -> list[list[int]]:
        """Greedy decoding of one class by the decoder of another, always `steps` words long."""
        model = self.model
        code = self.encode(ids, lengths).unsqueeze(1)
        token = torch.full((len(ids), 1), model.config.bos_token_id)
        state, words = None, []
        for _ in range(steps):
            inputs = torch.cat([model.embeddings[1 + value](token), code], 2)
            output, state = model.decoders[value].lstm(inputs, state)
            logits = F.linear(output.squeeze(1), model.projection.weight, model.projection.bias)
            token = logits.max(1, keepdim=True).indices
            words.append(token)
        return torch.cat(words, 1).tolist()
