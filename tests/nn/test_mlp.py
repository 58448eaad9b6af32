"""Multi-layer perceptrons at other scales and with a shortcut."""

import pytest
import torch

from hf_arae import AraeConfig, AraeModel
from hf_arae.nn.mlp import Mlp


@pytest.mark.parametrize("scale", [1.0, 7.0])
def test_input_gradient_is_by_the_scaled_input(scale):
    torch.manual_seed(0)
    critic = Mlp(6, [9, 5], 1, input_scale=scale).double()
    inputs = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(critic(inputs).sum(), inputs)
    torch.testing.assert_close(scale * critic.input_gradient(inputs.detach()), gradient)
    difference = critic(inputs[:3]).mean() - critic(inputs[3:]).mean()
    torch.testing.assert_close(critic.mean_difference(inputs[:3], inputs[3:]), difference)


def test_shortcut_and_output_scale_stand_before_tanh():
    torch.manual_seed(0)
    generator = Mlp(3, [8], 5, "relu", bounded=True, output_scale=0.5, shortcut=True)
    inputs = torch.randn(4, 3)
    expected = (0.5 * (generator.layers(inputs) + inputs @ generator.shortcut.weight.T)).tanh()
    torch.testing.assert_close(generator(inputs), expected)
    with pytest.raises(ValueError, match="shortcut"):
        Mlp(3, [8], 1, shortcut=True).input_gradient(inputs)


@pytest.mark.parametrize("amplify", [False, True])
def test_a_generator_with_a_shortcut_begins_at_the_length_of_codes(amplify):
    torch.manual_seed(0)
    sizes = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 8, "code_size": 100, "latent_size": 50}
    model = AraeModel(AraeConfig(**sizes, generator_shortcut=True, amplify_adversary=amplify)).eval()
    assert model.sample_codes(500).norm(dim=1).mean().item() == pytest.approx(1, abs=0.15)
